// Package vitalog_test holds the house to its document: the tables of ARCHITECTURE.md are read here, and whatever breaks them fails.
package vitalog_test

import (
	"fmt"
	"go/ast"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
)

const (
	module  = "vitalog"
	testnet = "internal/testnet" // the only package of a higher floor that a test may import
)

func TestEveryPackageHasAFloorAndEveryFloorItsPackage(t *testing.T) {
	law, house := readLaw(t), readHouse(t)
	for _, p := range house {
		if _, ok := law.floors[p.path]; !ok && p.path != "." {
			t.Errorf("%s has no floor in ARCHITECTURE.md", p.path)
		}
	}
	for path := range law.floors {
		if house[path] == nil {
			t.Errorf("ARCHITECTURE.md gives %s a floor, but there is no such package", path)
		}
	}
}

func TestImportsGoDown(t *testing.T) {
	law, house := readLaw(t), readHouse(t)
	for _, p := range house {
		for _, f := range p.files {
			for _, path := range f.imports {
				to, ours := strings.CutPrefix(path, module+"/")
				if !ours || to == p.path && f.test || f.outside() && law.floors[to] <= law.floors[testnet] || law.floors[to] < law.floors[p.path] {
					continue
				}
				t.Errorf("%s: %s (floor %d) imports %s (floor %d): only lower floors; a test package of its own up to %s", f.name, p.path, law.floors[p.path], to, law.floors[to], testnet)
			}
		}
	}
}

func TestThirdPartiesStayWithTheirOwners(t *testing.T) {
	law, house := readLaw(t), readHouse(t)
	used := map[string]bool{}
	for _, p := range house {
		for _, f := range p.files {
			for _, path := range f.imports {
				if !strings.Contains(strings.SplitN(path, "/", 2)[0], ".") {
					continue // the standard library, or our own
				}
				g := law.guest(path, f.test)
				switch {
				case g == nil:
					t.Errorf("%s imports %s, which ARCHITECTURE.md doesn't list", f.name, path)
				case !g.lives(p.path, law.floors[p.path]):
					t.Errorf("%s: %s imports %s, which belongs to %s", f.name, p.path, path, g.where)
				default:
					used[g.path] = true
				}
			}
		}
	}
	for _, g := range law.guests {
		if !used[g.path] {
			t.Errorf("ARCHITECTURE.md lists %s for %s, but nobody imports it", g.path, g.where)
		}
	}
}

func TestEveryDirectDependencySaysWhy(t *testing.T) {
	law := readLaw(t)
	raw, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	mod, err := modfile.Parse("go.mod", raw, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range mod.Require {
		named := func(g guest) bool { return within(g.path, r.Mod.Path) && g.why != "" }
		if !r.Indirect && !slices.ContainsFunc(law.guests, named) {
			t.Errorf("go.mod requires %s, and ARCHITECTURE.md doesn't say why", r.Mod.Path)
		}
	}
}

func TestPureFloorsKnowNoWorldAndNoTime(t *testing.T) {
	law, house := readLaw(t), readHouse(t)
	for _, path := range law.pure() {
		p := house[path]
		if p == nil {
			continue // TestEveryPackageHasAFloor tells
		}
		for _, f := range p.files {
			if f.test {
				continue
			}
			for _, i := range f.imports {
				if root := strings.SplitN(i, "/", 2)[0]; slices.Contains(law.worldly, i) || slices.Contains(law.worldly, root+"/…") {
					t.Errorf("%s: %s is pure and imports %s", f.name, path, i)
				}
				if i == "crypto/rand" && !slices.Contains(law.random, path) {
					t.Errorf("%s: %s is not listed as drawing random numbers", f.name, path)
				}
			}
			f.each(func(at string, n ast.Node) {
				if _, ok := n.(*ast.GoStmt); ok {
					t.Errorf("%s: %s is pure and starts a goroutine", at, path)
				}
				if call := f.selected(n); slices.Contains(law.worldly, call) {
					t.Errorf("%s: %s is pure and uses %s", at, path, call)
				}
			})
		}
	}
}

func TestLibrariesNeitherPrintNorExitNorRunBeforeMain(t *testing.T) {
	for _, p := range readHouse(t) {
		for _, f := range p.files {
			if f.test || f.ast.Name.Name == "main" {
				continue
			}
			f.each(func(at string, n ast.Node) {
				switch call := f.selected(n); call {
				case "fmt.Print", "fmt.Printf", "fmt.Println", "os.Exit", "os.Stdout", "os.Stderr", "log.Print", "log.Printf", "log.Println", "log.Fatal", "log.Fatalf":
					t.Errorf("%s: %s uses %s", at, p.path, call)
				}
				if d, ok := n.(*ast.FuncDecl); ok && d.Recv == nil && d.Name.Name == "init" {
					t.Errorf("%s: %s has an init function", at, p.path)
				}
			})
		}
	}
}

func TestEveryPackageSaysWhatItPromises(t *testing.T) {
	for _, p := range readHouse(t) {
		docs := 0
		for _, f := range p.files {
			if !f.test && f.ast.Doc.Text() != "" {
				docs++
			}
		}
		if docs != 1 && !p.testsOnly() {
			t.Errorf("%s has %d package docs, want one", p.path, docs)
		}
		for _, word := range []string{"util", "utils", "common", "helper", "helpers", "manager", "models", "service", "misc"} {
			if slices.Contains(strings.Split(p.path, "/"), word) {
				t.Errorf("%s: %q is not a noun of the field", p.path, word)
			}
		}
	}
}

func TestTheSpecificationsIndexListsItsPages(t *testing.T) {
	index, err := os.ReadFile("spec/README.md")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob("spec/*.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{"README.md": true}
	for _, m := range regexp.MustCompile(`\]\(([a-z0-9-]+\.md)\)`).FindAllStringSubmatch(string(index), -1) {
		listed[m[1]] = true
		if _, err := os.Stat(filepath.Join("spec", m[1])); err != nil {
			t.Errorf("spec/README.md lists %s: %v", m[1], err)
		}
	}
	for _, p := range pages {
		if !listed[filepath.Base(p)] {
			t.Errorf("spec/README.md doesn't list %s", p)
		}
	}
}

// The pure floors only: what else compiles for which system takes minutes to find out on a fresh machine, and .ci/run does it.
func TestPureFloorsCompileForBrowsers(t *testing.T) {
	args := []string{"build"}
	for _, p := range readLaw(t).pure() {
		args = append(args, "./"+p)
	}
	c := exec.Command("go", args...)
	c.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm", "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", strings.Join(c.Args, " "), err, out)
	}
}

// law is what ARCHITECTURE.md says.
type law struct {
	floors  map[string]int // package → floor
	guests  []guest
	impure  []string // packages on the pure floors that are not pure
	highest int      // of the pure floors
	worldly []string // what the pure floors may not import or call
	random  []string // pure packages that may draw random numbers
}

// guest is a third-party module, or a package of one, with the packages that may import it.
type guest struct {
	path   string
	where  string // as written
	owners []string
	from   int // any package on this floor or above; 0: none
	tests  bool
	why    string
}

func (g *guest) lives(path string, floor int) bool {
	return slices.Contains(g.owners, path) || g.from > 0 && floor >= g.from
}

// guest is the entry with the longest path that path lies within. Entries for tests alone don't count elsewhere.
func (l *law) guest(path string, test bool) (best *guest) {
	for i := range l.guests {
		g := &l.guests[i]
		if within(path, g.path) && (test || !g.tests) && (best == nil || len(g.path) > len(best.path) || g.tests && g.path == best.path) {
			best = g
		}
	}
	return best
}

func within(path, prefix string) bool { return path == prefix || strings.HasPrefix(path, prefix+"/") }

func (l *law) pure() (out []string) {
	for path, floor := range l.floors {
		if floor <= l.highest && !slices.Contains(l.impure, path) {
			out = append(out, path)
		}
	}
	slices.Sort(out)
	return out
}

// readLaw reads the tables and lists, by the headings that they stand under.
func readLaw(t *testing.T) *law {
	t.Helper()
	raw, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	l := &law{floors: map[string]int{}}
	heading := ""
	for n, line := range strings.Split(string(raw), "\n") {
		if h, ok := strings.CutPrefix(line, "## "); ok {
			heading = h
		}
		if err := l.read(heading, line); err != nil {
			t.Fatalf("ARCHITECTURE.md:%d: %v", n+1, err)
		}
	}
	if len(l.floors) < 10 || len(l.guests) < 5 || l.highest == 0 || len(l.worldly) == 0 {
		t.Fatalf("ARCHITECTURE.md: found %d floors, %d third parties, pure up to %d, %d forbidden", len(l.floors), len(l.guests), l.highest, len(l.worldly))
	}
	return l
}

func (l *law) read(heading, line string) error {
	cells := strings.Split(strings.Trim(line, "| "), "|")
	row := strings.HasPrefix(line, "| ") && len(cells) == 3 && strings.Contains(line, "`")
	rest, listed := strings.CutPrefix(line, "- ")
	switch {
	case heading == "Floors" && row:
		floor, err := strconv.Atoi(strings.TrimSpace(cells[0]))
		if err != nil {
			return err
		}
		for _, path := range quoted(cells[1]) {
			if _, twice := l.floors[path]; twice {
				return fmt.Errorf("%s has two floors", path)
			}
			l.floors[path] = floor
		}
	case strings.HasPrefix(heading, "Third parties") && row:
		g := guest{path: quoted(cells[0])[0], where: strings.TrimSpace(cells[1]), owners: quoted(cells[1]), why: strings.TrimSpace(cells[2]), tests: strings.HasSuffix(heading, "in tests")}
		if _, err := fmt.Sscanf(g.where, "floors %d and up", &g.from); err != nil && len(g.owners) == 0 {
			return fmt.Errorf("%s: no owner in %q", g.path, g.where)
		}
		l.guests = append(l.guests, g)
	case heading == "Pure floors" && listed:
		what, list, _ := strings.Cut(rest, ":")
		switch what {
		case "Pure":
			_, err := fmt.Sscanf(strings.TrimSpace(list), "floors 0 to %d", &l.highest)
			l.impure = quoted(list)
			return err
		case "They don't import or call":
			l.worldly = quoted(list)
		case "Random numbers are drawn only in":
			l.random = quoted(list)
		}
	}
	return nil
}

// quoted lists what stands in backquotes.
func quoted(s string) (out []string) {
	for i, part := range strings.Split(s, "`") {
		if i%2 == 1 {
			out = append(out, part)
		}
	}
	return out
}
