package builder

import (
	"context"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// buildScript runs scripts.build, and then what the start command has that only builds. It is all that a build runs
// between the installation and the packing.
func (j *job) buildScript(ctx context.Context) error {
	if !j.plan.Build {
		return nil
	}
	defer j.r.Lap("build")
	j.r.At(core.AtBuild)
	j.r.Step("Building")
	var steps []step
	if j.plan.Package.Scripts["build"] != "" {
		steps = append(steps, step{name: "npm run build", args: []string{"npm", "run", "build"}})
	}
	for _, text := range j.plan.Steps {
		// npm runs scripts with sh, and finds the programs of packages in this way.
		steps = append(steps, step{name: progress.Shorten(text), args: []string{"sh", "-c",
			`PATH="$PWD/node_modules/.bin:$PATH"; ` + text}})
	}
	for _, s := range steps {
		j.r.Detail("%s", s.name)
		s.app, s.env = j.shop.path("app"), []string{"NODE_ENV=production"}
		if err := j.run(ctx, s); err != nil {
			return err
		}
	}
	return nil
}
