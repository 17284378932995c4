export const metadata = { title: 'Hello from Next.js on NodeOS' };

export default function Layout({ children }) {
  return (
    <html lang="en">
      <body style={{ font: '1.1rem/1.6 system-ui, sans-serif', maxWidth: '40rem', margin: '4rem auto', padding: '0 1rem' }}>{children}</body>
    </html>
  );
}
