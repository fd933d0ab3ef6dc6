"""The pictures of the documentation, made by the code that draws an operator's."""
