"""How a backtest is shown: terminal, JSON, Markdown, HTML, pictures."""
