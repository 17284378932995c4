require('fs').writeFileSync('built.js', 'module.exports = require("ms")')
