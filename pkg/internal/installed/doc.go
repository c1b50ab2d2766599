// Package installed tries the package for Debian on a Debian of its own, which its systemd boots.
package installed
