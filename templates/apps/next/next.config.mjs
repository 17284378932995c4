export default {
  // The build leaves a server with the files that it needs, and nothing else of node_modules.
  output: 'standalone',
};
