import '../app.css';

import { mount } from 'svelte';

import Hall from './Hall.svelte';

const target = document.getElementById('hall');
if (!target) throw new Error('The page has no #hall element.');
mount(Hall, { target });
