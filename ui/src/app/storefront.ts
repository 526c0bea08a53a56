import { mount } from 'svelte';
import '../styles/tokens.css';
import '../styles/fonts.css';
import '../features/storefront/storefront.css';
import StorefrontPage from '../features/storefront/StorefrontPage.svelte';

const target = document.getElementById('app');
if (target) mount(StorefrontPage, { target });
