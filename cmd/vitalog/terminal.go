package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"
)

// onTerminal tells whether a stream is one.
func onTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// say talks, one line.
func (p *program) say(format string, a ...any) { fmt.Fprintf(p.talk, format+"\n", a...) }

// print writes data, one line.
func (p *program) print(format string, a ...any) { fmt.Fprintf(p.out, format+"\n", a...) }

// line writes one object as a line of JSON.
func (p *program) line(v any) error {
	e := json.NewEncoder(p.out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// table writes rows, the first of which is the heading, in columns.
func (p *program) table(rows [][]string) error {
	var wide []int
	for _, r := range rows {
		for i, cell := range r {
			if i == len(wide) {
				wide = append(wide, 0)
			}
			wide[i] = max(wide[i], utf8.RuneCountInString(cell))
		}
	}
	for _, r := range rows {
		var b strings.Builder
		for i, cell := range r {
			b.WriteString(cell)
			b.WriteString(strings.Repeat(" ", wide[i]-utf8.RuneCountInString(cell)+2))
		}
		if _, err := fmt.Fprintln(p.out, strings.TrimRight(b.String(), " ")); err != nil {
			return err
		}
	}
	return nil
}

// listing is what a command lists: with --json each thing is a line at once, without it the end is a table.
type listing struct {
	p    *program
	rows [][]string // the first is the heading
}

func (p *program) listing(heading ...string) *listing { return &listing{p, [][]string{heading}} }

func (l *listing) add(thing any, cells ...string) error {
	if l.p.json {
		return l.p.line(thing)
	}
	l.rows = append(l.rows, cells)
	return nil
}

// empty tells whether the table would have a heading only.
func (l *listing) empty() bool { return len(l.rows) == 1 }

// end writes the table, or says what it means that there is nothing, where that is told.
func (l *listing) end(nothing string) error {
	switch {
	case l.p.json:
		return nil
	case l.empty() && nothing != "":
		l.p.say("%s", nothing)
		return nil
	}
	return l.p.table(l.rows)
}

// paint colours text for people; what it says never depends on the colour.
func paint(to io.Writer, code, text string) string {
	if os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" || !onTerminal(to) {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (p *program) red(text string) string   { return paint(p.talk, "31", text) }
func (p *program) green(text string) string { return paint(p.talk, "32", text) }

const progressEvery = 100 * time.Millisecond

// progress is one line on a terminal that is written over again; elsewhere it is silent.
type progress struct {
	to   io.Writer
	last time.Time
	wide int
}

func (p *program) progress() *progress {
	if !onTerminal(p.talk) {
		return &progress{to: io.Discard}
	}
	return &progress{to: p.talk}
}

func (g *progress) show(format string, a ...any) {
	if now := time.Now(); now.Sub(g.last) >= progressEvery {
		g.last = now
		text := fmt.Sprintf(format, a...)
		fmt.Fprintf(g.to, "\r%-*s", g.wide, text)
		g.wide = len(text)
	}
}

// done takes the line away.
func (g *progress) done() {
	if g.wide > 0 {
		fmt.Fprintf(g.to, "\r%*s\r", g.wide, "")
	}
}

// confirm asks for a yes. Who can't be asked must have said --yes.
func (p *program) confirm(yes bool, sentence string) error {
	p.say("%s", sentence)
	if yes {
		return nil
	}
	if !onTerminal(os.Stdin) {
		return advise(misused("this changes something and there is nobody to ask"), "add --yes if you mean it, or --dry-run to see what would happen")
	}
	fmt.Fprint(p.talk, "Go on? [y/N] ")
	answer, err := p.in.ReadString('\n')
	if err != nil && answer == "" {
		return fmt.Errorf("reading the answer: %w", err)
	}
	if a := strings.ToLower(strings.TrimSpace(answer)); a != "y" && a != "yes" {
		return errUnwanted
	}
	return nil
}

// stamp is a moment as people read it: local time, to the minute.
func stamp(t time.Time) string { return t.Local().Format("2006-01-02 15:04") }

// count says how many there are of what.
func count[N int | int64 | uint64](n N, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
