export default eventHandler((event) => {
  return "Hello from Nitro";
});
