// Command vitalog is the whole of Vitalog in one program: a member of the network, its operator's tools, a patient's app in the terminal,
// and the verifier.
//
// It promises data on standard output and talk on standard error, one exit code per kind of outcome, and that whatever fails says what
// happened, why, and which command comes next. It refuses secrets as arguments, where every process of the machine could read them: they
// come from a file of mode 0600, from standard input or from the terminal.
//
//	$ vitalog record get Observation/0b6e2f --as st-elena --practitioner okafor --role cardiologist --purpose TREAT
//	vitalog: refused: right not granted; the attempt is recorded in block 41
//	next:    ask the patient: vitalog consent request --as st-elena …
//	$ echo $?
//	3
package main

import (
	"bufio"
	"context"
	"os"
	"os/signal"
	"syscall"

	"vitalog/cloud/drivers"
)

func main() { os.Exit(run(os.Args[1:])) }

// run is the program without its process: it returns the exit code.
func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	drivers.Register()
	p := &program{in: bufio.NewReader(os.Stdin), out: os.Stdout, talk: os.Stderr}
	root := p.root()
	root.SetArgs(args)
	root.SetOut(os.Stdout)
	root.SetErr(os.Stderr)
	err := root.ExecuteContext(ctx)
	if err != nil && !p.began {
		err = usage{err}
	}
	p.explain(err)
	return exitCode(err)
}
