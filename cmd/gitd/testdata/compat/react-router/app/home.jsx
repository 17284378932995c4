export function loader() {
  return { message: "Hello from React Router" };
}

export default function Home({ loaderData }) {
  return <h1>{loaderData.message}</h1>;
}
