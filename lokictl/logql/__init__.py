"""The LogQL language: lexer, parser, expressions, printer.  Imports nothing else of lokictl."""
