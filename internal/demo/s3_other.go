//go:build !linux

package demo

import "syscall"

// apart does nothing: a server outlives a demo that is killed here, until it is killed too.
func apart() *syscall.SysProcAttr { return nil }
