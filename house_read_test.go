package vitalog_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// room is a package as it lies on the disk: all its files, for whatever system they are.
type room struct {
	path  string
	files []*file
}

type file struct {
	name    string
	test    bool
	imports []string
	ast     *ast.File
	set     *token.FileSet
}

// outside tells whether f is of a test package of its own, which sees a package as its users do and may stand on whole members.
func (f *file) outside() bool { return f.test && strings.HasSuffix(f.ast.Name.Name, "_test") }

func (r *room) testsOnly() bool {
	for _, f := range r.files {
		if !f.test {
			return false
		}
	}
	return true
}

// each visits the nodes of the file, with their position.
func (f *file) each(visit func(at string, n ast.Node)) {
	ast.Inspect(f.ast, func(n ast.Node) bool {
		if n != nil {
			visit(f.set.Position(n.Pos()).String(), n)
		}
		return true
	})
}

// selected is "time.Now" for a node that selects a name from an imported package, else "".
func (f *file) selected(n ast.Node) string {
	s, ok := n.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	id, ok := s.X.(*ast.Ident)
	if !ok {
		return ""
	}
	for _, spec := range f.ast.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue
		}
		if name := path.Base(p); spec.Name != nil && spec.Name.Name == id.Name || spec.Name == nil && name == id.Name {
			return p + "." + s.Sel.Name
		}
	}
	return ""
}

// readHouse parses every package, the root's tests too. Directories with a go.mod of their own are other houses.
func readHouse(t *testing.T) map[string]*room {
	t.Helper()
	house := map[string]*room{}
	set := token.NewFileSet()
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if base := d.Name(); d.IsDir() && name != "." {
			if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil || base == "testdata" || base == "node_modules" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
				return fs.SkipDir
			}
		}
		dir := filepath.ToSlash(filepath.Dir(name))
		if d.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		parsed, err := parser.ParseFile(set, name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		f := &file{name: name, test: strings.HasSuffix(name, "_test.go"), ast: parsed, set: set}
		for _, spec := range parsed.Imports {
			p, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			f.imports = append(f.imports, p)
		}
		if house[dir] == nil {
			house[dir] = &room{path: dir}
		}
		house[dir].files = append(house[dir].files, f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return house
}
