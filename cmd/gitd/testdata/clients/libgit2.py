"""The least that a program does with libgit2 (pygit2) to push to gitd. TestClients runs it in a working copy."""

import sys

import pygit2


class Person(pygit2.RemoteCallbacks):
    """What libgit2 asks for and tells during a connection."""

    refused = False

    def credentials(self, url, user, allowed):
        key = sys.path[0] + "/.ssh/id_ed25519"
        return pygit2.Keypair(user, key + ".pub", key, "")

    def certificate_check(self, certificate, valid, host):
        return valid  # by ~/.ssh/known_hosts

    def sideband_progress(self, text):
        print(text, end="")

    def push_update_reference(self, ref, reason):
        if reason:
            self.refused = True
            print(f"{ref}: {reason}")


person = Person()
verb, args = sys.argv[1], sys.argv[2:]
if verb == "clone":
    pygit2.clone_repository(args[0], args[1], callbacks=person)
elif verb == "push":
    pygit2.Repository(".").remotes["nodeos"].push(args, callbacks=person)
elif verb == "list":
    for ref in pygit2.Repository(".").remotes["nodeos"].ls_remotes(callbacks=person):
        print(ref["name"])
elif verb == "version":
    print(pygit2.LIBGIT2_VERSION)
sys.exit(person.refused)
