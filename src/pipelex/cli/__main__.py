from pipelex.cli.start import main

main()
