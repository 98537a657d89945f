"""What must not happen: one module per service, and the recorded metrics."""
