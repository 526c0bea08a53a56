// The light build has the same types; the package declares them for its main entry only.
declare module 'hls.js/light' {
  export { default } from 'hls.js';
}
