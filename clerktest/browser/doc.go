// Package browser tests the pages of fakeclerk in a real browser, headless Chromium.
package browser
