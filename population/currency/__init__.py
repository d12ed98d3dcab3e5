"""How current the register is: checks that find the cases that need a visit, and the list of an officer's walk."""
