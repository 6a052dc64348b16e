//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd)

package main

import "os"

// lock does nothing: the standard library cannot lock files on this system.
func lock(*os.File) error { return nil }

func setOwner(*os.File, os.FileInfo) error { return nil }
