// Rendered at each request. Without this line, the page would be rendered once, by the build.
export const dynamic = 'force-dynamic';

export default function Page() {
  return (
    <>
      <h1>Hello from Next.js on NodeOS</h1>
      <p>
        release {process.env.NODEOS_RELEASE}, node {process.version}
      </p>
    </>
  );
}
