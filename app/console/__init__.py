"""What the commands print: tables and sentences for people, a module for each thing shown."""
