"""Paramiko: commands, and git with dulwich over it. TestClients runs it in a working copy."""

import sys

import paramiko
from dulwich import client, porcelain
from dulwich.contrib.paramiko_vendor import ParamikoSSHVendor

KEY = sys.path[0] + "/.ssh/id_ed25519"
client.get_ssh_vendor = lambda: ParamikoSSHVendor(key_filename=KEY)

verb, args = sys.argv[1], sys.argv[2:]
if verb == "run":  # HOST PORT COMMAND
    ssh = paramiko.SSHClient()
    ssh.set_missing_host_key_policy(paramiko.AutoAddPolicy())
    ssh.connect(args[0], int(args[1]), "nodeos", key_filename=KEY)
    _, out, err = ssh.exec_command(" ".join(args[2:]))
    print(out.read().decode() + err.read().decode(), end="")
    sys.exit(out.channel.recv_exit_status())
elif verb == "clone":
    porcelain.clone(args[0], args[1])
elif verb == "push":
    porcelain.push(".", "nodeos", args, force=True)
elif verb == "list":
    for ref in porcelain.ls_remote(args[0]):
        print(ref.decode())
elif verb == "version":
    print(paramiko.__version__)
