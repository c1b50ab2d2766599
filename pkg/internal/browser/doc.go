// Package browser starts the headless Chromium that tests look at pages in. It has code with the
// build tag browser alone.
package browser
