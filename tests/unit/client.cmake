# unit tests of client/
