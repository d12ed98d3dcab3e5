import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

// The server that `npm run dev` forwards /api to; only the dev server uses it.
const server = process.env.HEXWARD_SERVER ?? 'http://127.0.0.1:8000';

export default defineConfig({
  plugins: [svelte()],
  build: {
    outDir: 'dist',
    target: 'es2022',
    sourcemap: false,
    // maplibre-gl is one chunk of about 1 MB, fetched only by the map and the print page.
    chunkSizeWarningLimit: 1200,
    // The residents' hall is an entry of its own: no map, no sign-in, little to load on a phone.
    rollupOptions: { input: { main: 'index.html', hall: 'hall.html' } },
  },
  server: { host: '127.0.0.1', proxy: { '/api': server, '/health': server } },
  test: { include: ['tests/**/*.test.ts'], environment: 'node' },
});
