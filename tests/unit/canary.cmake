# unit tests of canary/
