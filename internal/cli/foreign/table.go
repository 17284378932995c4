package foreign

// aliases are other names of our commands, by command.
var aliases = map[string]string{
	"apps":            "apps:list list app:list",
	"apps:create":     "create app:create",
	"apps:destroy":    "apps:delete destroy delete app:destroy",
	"apps:info":       "apps:report apps:exists apps:show info",
	"apps:lock":       "lock",
	"apps:rename":     "rename",
	"apps:unlock":     "unlock",
	"maintenance":     "maintenance:report",
	"maintenance:on":  "maintenance:enable",
	"maintenance:off": "maintenance:disable",
	"builds:cancel":   "builds:stop",
	"config":          "config:show config:list vars variables secrets",
	"config:set":      "config:add set env:set secrets:set secret:set vars:set",
	"config:unset":    "config:remove unset env:unset secrets:unset",
	"cron":            "cron:list cron:report jobs",
	"domains":         "domains:report domains:list",
	"domains:remove":  "domains:rm",
	"events":          "events:list activity history",
	"keys":            "ssh-keys ssh-keys:list keys:list",
	"keys:add":        "ssh-keys:add key:add",
	"keys:remove":     "ssh-keys:remove keys:rm",
	"logs":            "logs:show",
	"links":           "links:list links:report attachments",
	"links:add":       "links:create addons:attach",
	"links:remove":    "links:rm links:destroy addons:detach",
	"ports":           "ports:list ports:report",
	"ports:allow":     "ports:open",
	"ports:deny":      "ports:remove ports:close",
	"ps":              "ps:report ps:show ps:inspect dynos",
	"ps:rebuild":      "rebuild redeploy build builds:create releases:retry",
	"ps:restart":      "restart reboot dyno:restart",
	"ps:scale":        "scale dyno:scale",
	"ps:start":        "start",
	"ps:stop":         "stop kill ps:kill dyno:stop dyno:kill",
	"releases":        "releases:list builds builds:list deployments",
	"run:stop":        "run:retire",
	"resource":        "resource:limit resource:report resources memory",
	"rollback":        "releases:rollback undo",
	"users":           "users:list members",
	"users:add":       "user:add",
	"users:invite":    "invite",
	"version":         "version:info",
	"volumes":         "volumes:list volume storage storage:list storage:report storage:list-entries",
	"volumes:create":  "volumes:add volumes:mount",
	"volumes:remove":  "volumes:rm volumes:destroy",
	"whoami":          "auth:whoami id",
}

// rewrites are commands that are ours with a flag.
var rewrites = map[string][]string{
	"releases:output": {"logs", "--build"},
	"builds:output":   {"logs", "--build"},
	"run:detached":    {"run", "--detach"},
}

const (
	noShell   = "a machine has no shell; `run APP -- node script.js` runs a command in a machine of its own, and with a terminal (ssh -t) `run APP -- node` is Node's prompt"
	noAddons  = "there are no add-ons; give the app the address of a service: `config:set APP DATABASE_URL=…`; a disk that stays: `volumes:create APP data --mount /data`"
	ownDoor   = "the front door is gitd's own: `domains:add APP HOST` adds a host name, `limits APP` bounds requests, `auth:set` and `allow:add` say who gets in, `pages:set` what visitors see"
	noTLS     = "the front door speaks HTTP; put a proxy that has the certificates (Caddy, nginx) before it, and let the app have the name: `domains:add APP HOST`"
	byPush    = "a release is made by git push, or by `rollback APP`; `releases APP` lists them"
	noImages  = "there are no containers and no registry: git push builds the image of a machine; `releases APP` lists the images that are kept"
	oneSize   = "the machines of an app have one size: `resource APP --memory 512M --cpus 2`; `ps:scale APP web=2` says how many there are"
	theBuild  = "there are no buildpacks: gitd builds Node.js apps. engines.node in package.json chooses Node, scripts.build runs before the app is packed"
	checkHint = "an app is checked before it gets traffic, by \"nodeos\": {\"healthcheck\": {\"path\": \"/healthz\"}} in its package.json; `ps APP` shows how it runs"
	noTeams   = "there are no teams: a role on an app is all; `users` lists who has which, `users:grant NAME APP ROLE` gives one"
	noLogin   = "who you are is your SSH key; `whoami` shows it, and `keys:add NAME < key.pub` adds one"
	noDrains  = "`drains:add APP URL` sends what an app says to a receiver of syslog, JSON or OTLP; `drains` lists them, `logs APP -t` follows a log here"
	noConfig  = "there is nothing to set for it here; `config APP` shows what the app is given, `resource APP` what its machine gets"
	hostOnly  = "that is done on gitd's host, by whoever installed it; `status` shows how the host is, `version` which gitd runs"
	noCron    = "a job is in package.json: \"nodeos\": {\"cron\": [{\"schedule\": \"0 3 * * *\", \"command\": \"node clean.js\"}]}; `cron APP` lists an app's jobs"
	onePipe   = "there are no pipelines: an app for each stage, and git push to each; `apps:create APP-staging` makes one"
	noHooks   = "`notify:add APP URL` tells a receiver what happens to an app; `notify` lists them, `events APP` lists what happened"
	backups   = "gitd makes no backups: `halt`, copy the state folder (--state) and, apart from it, gitd.db.key, and start gitd again"
	aliveDisk = "a disk that stays: `volumes:create APP NAME --size 1G --mount /data`; `volumes APP` lists what there is"
)

// hints are by commands; a name that ends in a colon is a family: it and all that begin so.
var hints = []struct{ names, text string }{
	{"ps:resize ps:type ps:autoscale: resize dyno:resize dyno:type autoscale:", oneSize},
	{"ps:set ps:copy ps:wait ps:retire", noConfig},
	{"ps:rebuildall", "one app at a time: `ps:rebuild APP` builds the commit that is live again and deploys it; `apps` lists them"},
	{"ps:restore", "gitd brings all machines back when it starts; `ps:start APP` starts an app that was stopped"},
	{"ps:exec ps:forward ps:socks run:inside run:rake run:console enter exec bash sh zsh shell console repl rake ssh su sudo attach inside env printenv node npm npx yarn pnpm bun deno python ruby rails top htop", noShell},
	{"cd cat pwd cp mv rm vi vim nano less tail grep find git df free uname man clear ps:top echo exit quit logout", "there is no shell here; `help` lists the commands, and your own shell is where ssh was typed"},
	{"run:logs", "`logs APP` has what detached commands said"},
	{"ls ll dir", "`apps` lists your apps, `volumes APP` the disks of one"},
	{"scp sftp sftp: rsync tar tar: certs-import", "no files are copied to a machine: they come with git push; " + aliveDisk},

	{"open apps:open dashboard url urls apps:url", "`apps:info APP` shows the address of an app"},
	{"apps:clone apps:copy fork apps:fork", "an app comes from a repository: push the same one to another name, and `config:import NEW < .env` with `config:export APP`"},
	{"new", "on your own machine, gitd new STARTER DIR makes a repository to push; `apps:create APP` makes an empty app here"},
	{"apps:locked", "`apps:info APP` shows who locked an app, and why"},
	{"apps:set apps:stacks: apps:favorites: apps:diff apps:errors stack: stacks:", noConfig},
	{"apps:join apps:leave apps:transfer join leave transfer sharing: access: members: orgs: teams: spaces: enterprise: collaborators:", noTeams},
	{"trusted-ips: acl:", "`allow:add APP ADDRESS` lets only some addresses into an app, `auth:set APP NAME` only who has a password; who may push and type commands: `users`"},
	{"http-auth:", "`auth:set APP NAME` lets NAME into an app with a password, and nobody without; `auth APP` lists who has one"},
	{"maintenance:", "`maintenance:on APP --page < page.html` shows visitors a page in place of an app, `maintenance:off APP` ends that"},

	{"config:keys config:bundle", "`config APP` lists names and values, `config:export APP` prints them as a .env file"},
	{"config:clear", "`config:unset APP NAME...` takes variables away; `config APP` lists them"},
	{"config:edit", "`config:export APP > .env`, edit the file, and `config:import APP < .env`"},
	{"features: labs: app-json: docker-options: resource:reserve resource:reserve-clear", noConfig},
	{"resource:limit-clear", "`resource APP --memory default --cpus default` takes back what was set"},

	{"git:sync git:from-image git:from-archive git:load-image push deploy: release: builds:prune builds:info builds:set builds:report releases:info tar:in", byPush},
	{"builds:cache: repo:purge-cache", "`ps:rebuild APP` builds the live commit again with nothing that was kept; `du` shows what takes room"},
	{"git: git:clone git:remote git:initialize clone pull fetch init link unlink", "`apps:create APP` prints the line to push with; the branch is the one that is pushed first, main or master"},
	{"tags tag tags:", "git push nodeos TAG deploys a tag, and is the way back to it; `releases APP` lists what was deployed"},
	{"logs:failed", "`logs APP --build` prints what the last deployment said; `releases APP` says why one failed"},
	{"logs:set logs:report logs:vector-logs logs:vector-start logs:vector-stop drains: log-drains:", noDrains},

	{"domains:set domains:clear domains:update domains:info domains:wait domains:verify domains:check", "`domains:add APP HOST` and `domains:remove APP HOST` change the host names of an app; `domains APP` lists them"},
	{"domains:enable domains:disable domains:reset domains:setup domains:add-global domains:remove-global domains:set-global domains:clear-global",
		"every app is served at APP.DOMAIN, and DOMAIN is the flag --domain of gitd serve; `domains APP` lists an app's names"},
	{"nginx: caddy: traefik: haproxy: openresty: proxy: redirect: routing:", ownDoor},
	{"ports:add ports:set ports:clear proxy:ports proxy:ports-add proxy:ports-set proxy:ports-remove proxy:ports-clear",
		"an app listens on $PORT, and the front door leads APP.DOMAIN there: `domains APP`; TCP ports are in package.json, \"nodeos\": {\"expose\": {\"tcp\": [5432]}}, and an administrator opens them: `ports:allow APP 5432`"},
	{"postgres:link postgres:unlink mysql:link mysql:unlink mariadb:link mariadb:unlink mongo:link mongo:unlink redis:link redis:unlink rabbitmq:link rabbitmq:unlink " +
		"memcached:link memcached:unlink clickhouse:link clickhouse:unlink couchdb:link couchdb:unlink elasticsearch:link elasticsearch:unlink meilisearch:link meilisearch:unlink nats:link nats:unlink",
		"an app reaches another one, be it a database, where an administrator links them: `links:add APP TARGET --as DATABASE_URL`; `links` lists the links"},
	{"certs: cert: letsencrypt: ssl: tls:", noTLS},
	{"network:create network:destroy network:exists network:info network:list network:rebuild network:rebuildall network:report network:set",
		"each app is a virtual machine of its own; `network APP` shows what it may reach beside the public internet, and `network:allow APP RULE` opens more"},
	{"scheduler: scheduler-docker-local: scheduler-k3s: cluster: regions", "each app is a virtual machine of its own on this host; nothing is scheduled or connected. `ps APP` shows it"},

	{"storage:mount storage:unmount storage:create storage:ensure-directory storage:destroy storage:", aliveDisk},
	{"backup: backups: restore", backups},
	{"buildpacks: builder: builder-dockerfile: builder-herokuish: builder-lambda: builder-nixpacks: builder-null: builder-pack: builder-railpack: herokuish:", theBuild},
	{"registry: container: image: images docker docker:", noImages},
	{"checks: health: healthcheck: healthchecks:", checkHint},
	{"cron: crontab scheduler:add scheduler:create clock:", noCron},
	{"repo: cleanup gc", "gitd tidies repositories, caches and images itself; `du` shows what takes room"},
	{"addons: plugin:install data: pg: psql postgres: mysql: mariadb: mongo: redis: rabbitmq: memcached: elasticsearch: couchdb: rethinkdb: clickhouse: nats: solr: " +
		"typesense: meilisearch: omnisci: graphite: pushpin: kafka: sql:", noAddons},
	{"plugin: plugins: mcp: update upgrade autocomplete: telemetry: trace: events:on events:off commands which search base", hostOnly},
	{"usage: usage:addons billing", "`ps APP` shows what an app uses, `du` what takes room on the host"},

	{"login auth: auth:login auth:logout auth:token 2fa: twofactor: authorizations: accounts: clients: sessions: git:auth git:auth-status git:credentials git:public-key " +
		"git:generate-deploy-key git:allow-host", noLogin},
	{"keys:clear", "`keys` lists your keys, `keys:remove FINGERPRINT` ends one"},
	{"access:add members:add sharing:add", "`users:invite NAME --app APP --role deploy` prints the line that lets somebody in; `users:grant NAME APP ROLE` gives a role to who is there"},
	{"access:remove access:update members:remove members:set sharing:remove", "`users:revoke NAME APP` takes a role away, `users:grant NAME APP ROLE` gives another"},
	{"pipelines: reviewapps: ci:", onePipe},
	{"webhooks: notifications:", noHooks},
	{"local: local:run local:start", "on your own machine, npm start runs the app; PORT names its port"},
}
