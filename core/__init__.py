"""The ground floor: types, graph, operators, plan. Imports nothing else of lutloom."""
