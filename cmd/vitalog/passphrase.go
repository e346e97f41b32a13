package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/term"
)

const maxPassphrase = 4096 // bytes

// passphrase gets the passphrase of a keyring: from the file named on the command line, standard input, the file that the configuration
// in dir names, or the terminal, in this order.
func (p *program) passphrase(what, dir, configured string) ([]byte, error) {
	switch {
	case p.passphraseFile != "":
		return readPassphrase(p.passphraseFile)
	case p.passphraseStdin:
		return p.firstLine()
	case configured != "":
		if !filepath.IsAbs(configured) {
			configured = filepath.Join(dir, configured)
		}
		return readPassphrase(configured)
	case onTerminal(os.Stdin):
		return p.ask("Passphrase of " + what + ": ")
	}
	return nil, advise(fmt.Errorf("%s: %w", what, errNoPassphrase), "give --passphrase-file or --passphrase-stdin, or set passphrase_file in the configuration")
}

// newPassphrase gets a passphrase for a keyring to be: typed twice if it is typed.
func (p *program) newPassphrase(what string) ([]byte, error) {
	if p.passphraseFile != "" || p.passphraseStdin || !onTerminal(os.Stdin) {
		return p.passphrase(what, "", "")
	}
	first, err := p.ask("New passphrase for " + what + ": ")
	if err != nil {
		return nil, err
	}
	second, err := p.ask("Once more: ")
	if err != nil {
		return nil, err
	}
	defer clear(second)
	if !bytes.Equal(first, second) {
		return nil, errors.New("the two passphrases differ")
	}
	if len(first) == 0 {
		return nil, errors.New("an empty passphrase protects nothing")
	}
	return first, nil
}

// ask reads a line from the terminal without showing it.
func (p *program) ask(prompt string) ([]byte, error) {
	fmt.Fprint(p.talk, prompt)
	b, err := term.ReadPassword(int(os.Stdin.Fd()))
	fmt.Fprintln(p.talk)
	if err != nil {
		return nil, fmt.Errorf("reading the passphrase: %w", err)
	}
	return b, nil
}

// firstLine reads a passphrase from standard input; what follows it is left there.
func (p *program) firstLine() ([]byte, error) {
	line, err := p.in.ReadBytes('\n')
	if err != nil && !(errors.Is(err, io.EOF) && len(line) > 0) {
		return nil, fmt.Errorf("%w: standard input has none", errNoPassphrase)
	}
	return chomp(line), nil
}

// readPassphrase reads the file of a passphrase.
func readPassphrase(path string) ([]byte, error) { return readSecret(path, errNoPassphrase) }

// readSecret reads a file that is the user's alone; lacking says what for.
func readSecret(path string, lacking error) ([]byte, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", lacking, err)
	}
	if runtime.GOOS != "windows" && st.Mode().Perm()&0o077 != 0 {
		return nil, advise(fmt.Errorf("%w: %s may be read by others (mode %v)", lacking, path, st.Mode().Perm()), "chmod 600 %s", path)
	}
	if st.Size() > maxPassphrase {
		return nil, fmt.Errorf("%w: %s has %d bytes, at most %d are read", lacking, path, st.Size(), maxPassphrase)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", lacking, err)
	}
	return chomp(b), nil
}

// chomp cuts the end of the line off, and nothing else.
func chomp(b []byte) []byte {
	return []byte(strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r"))
}
