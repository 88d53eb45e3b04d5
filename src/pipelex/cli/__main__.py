from pipelex.cli.main import main

main()
