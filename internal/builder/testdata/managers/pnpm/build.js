// The build uses a devDependency, which the image has not.
require('node:fs').writeFileSync('built.txt', String(require('is-number')(42)))
