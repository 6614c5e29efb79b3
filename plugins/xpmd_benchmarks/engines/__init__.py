"""Programs to measure, one a file.

Each is a module that imports nothing but the standard library when it is imported, so that it can be
looked at anywhere and loaded by another interpreter. It says

    NAME, INSTALL               what it is called, and the command that installs it
    missing()                   why it cannot run here, `None` if it can
    versions()                  what it is made of
    variants(threads)           the ways it can be run, best known first
    prepare(task)               make a case ready and return its runner

A runner has `run(n)`, which takes n steps or does its work n times, and `arrays()`: the energy per atom
and the forces where it stands, by which one sees that all programs compute the same.
"""
