"""The C++ kernel library, and the templates of everything that is generated: data only."""
