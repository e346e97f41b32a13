package demo

import "syscall"

// apart keeps a Ctrl-C in the terminal from the server, which the members need until they have stopped, and ends it with this process, however that ends.
func apart() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
