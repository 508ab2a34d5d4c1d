"""The report of a build, as a page and as JSON; and the page of a frontier.

facts.py, memories.py, evidence.py    what is said, as values
placement.py, drawing.py, charts.py   where everything is drawn, in pixels
pages.py, frontiers.py, templates/    how it looks
documents.py                          the same facts as JSON
writing.py                            the files
"""
