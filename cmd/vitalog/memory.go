package main

import (
	"os"
	"runtime/debug"
)

// servePercent lets the heap grow to five times what is live before it is collected: a validator makes much garbage and keeps little.
// The environment variable GOGC overrides it.
const servePercent = 400

// serving prepares the process for running members.
func serving() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(servePercent)
	}
}
