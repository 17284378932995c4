package foreign

import "strings"

// flags are hints for flags of Dokku and Heroku that our commands do not have.
var flags = []struct{ names, text string }{
	{"--force -f", "what cannot be undone is confirmed with a name: `apps:destroy APP --confirm APP`"},
	{"--all", "a command acts on one app; `apps` lists them"},
	{"--ps -p --dyno -d --dyno-name --process-type --source -s --type", "the log of one process is `logs APP --ps worker.1`; config is the same for all, and a table, or --json"},
	{"--format --merged --shell --quoted", "`config:export APP` prints NAME='value' lines that a shell reads, and `config APP --json` an object"},
	{"--region --stack --space --team --buildpack --addons --no-remote", "an app has none of that here: gitd builds Node.js apps and runs them on this host"},
	{"--remote -r", "an app is named by its name, as in `apps:info APP`, or with -a"},
	{"--skip-deploy --no-deploy", "for config, --no-restart only stores a change: `config:set APP NAME=VALUE --no-restart`"},
	{"--encoded", "a value is taken as it is, and with several lines on standard input: `config:set APP --stdin NAME`"},
	{"--quiet -q --no-color", "where no terminal is, nothing is coloured or cut; --json is for programs"},
}

// FlagHint says what to do instead of a flag, such as --force or -q. Empty: the flag is not known.
func FlagHint(flag string) string {
	for _, f := range flags {
		for name := range strings.FieldsSeq(f.names) {
			if name == flag {
				return f.text
			}
		}
	}
	return ""
}
