"""``python -m lokictl``"""

from lokictl.cli.main import main

main()
