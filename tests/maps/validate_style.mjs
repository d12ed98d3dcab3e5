// Reads a style from standard input and prints what MapLibre's own validator says of it, as JSON.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(new URL('../../web/package.json', import.meta.url));
const { validateStyleMin } = require('@maplibre/maplibre-gl-style-spec');
const problems = validateStyleMin(JSON.parse(readFileSync(0, 'utf-8')));
console.log(JSON.stringify(problems.map((p) => p.message)));
