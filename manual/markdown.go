package manual

import (
	"bytes"
	"fmt"
	"html"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// render makes HTML of a page. HTML in Markdown is left out, links within the manual lead to its pages, and code and tables that are wide
// scroll by themselves.
func render(d draft) ([]byte, error) {
	m := goldmark.New(goldmark.WithExtensions(extension.Table),
		goldmark.WithParserOptions(parser.WithASTTransformers(util.Prioritized(links(d), 0))),
		goldmark.WithRendererOptions(renderer.WithNodeRenderers(util.Prioritized(blocks{}, 0))))
	var b bytes.Buffer
	err := m.Convert(d.markdown, &b)
	return b.Bytes(), err
}

// links makes links between files into links between pages.
type links draft

// Transform is goldmark's.
func (d links) Transform(doc *ast.Document, _ text.Reader, _ parser.Context) {
	var dead []*ast.Link
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		l, ok := n.(*ast.Link)
		if !ok || !entering {
			return ast.WalkContinue, nil
		}
		to := string(l.Destination)
		switch {
		case strings.Contains(to, "://"), strings.HasPrefix(to, "#"):
		case d.above == Root+"/spec" && strings.HasSuffix(to, ".md") && !strings.Contains(to, "/"):
			l.Destination = []byte(specPath(to))
		case d.above == Root+"/spec": // to a file that is not here
			dead = append(dead, l)
		default:
			l.Destination = []byte(Root + "/" + to)
		}
		return ast.WalkContinue, nil
	})
	for _, l := range dead { // what it says stays
		for c := l.FirstChild(); c != nil; c = l.FirstChild() {
			l.Parent().InsertBefore(l.Parent(), l, c)
		}
		l.Parent().RemoveChild(l.Parent(), l)
	}
}

// blocks renders code and tables.
type blocks struct{}

// RegisterFuncs is goldmark's.
func (b blocks) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	r.Register(ast.KindFencedCodeBlock, b.code)
	r.Register(ast.KindCodeBlock, b.code)
	r.Register(extast.KindTable, b.table)
}

// code renders a block of code. One that is "sh 200 Patient" is a command, and says what it is answered with: the test runs it.
func (blocks) code(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkSkipChildren, nil
	}
	var command []string
	if f, ok := n.(*ast.FencedCodeBlock); ok && f.Info != nil {
		command = strings.Fields(string(f.Info.Segment.Value(source)))
	}
	lines := n.Lines()
	var code strings.Builder
	for i := range lines.Len() {
		s := lines.At(i)
		code.Write(s.Value(source))
	}
	pre := `<pre tabindex="0"><code>` + html.EscapeString(code.String()) + "</code></pre>"
	if len(command) < 2 {
		fmt.Fprintf(w, "<figure>%s</figure>\n", pre)
		return ast.WalkSkipChildren, nil
	}
	answer, kind := "Answers "+html.EscapeString(command[1]), ""
	if len(command) > 2 {
		kind = html.EscapeString(command[2])
		answer += " with " + article(kind) + " <code>" + kind + "</code>"
	}
	fmt.Fprintf(w, "<figure data-status=%q data-type=%q>%s<figcaption>%s.</figcaption></figure>\n", html.EscapeString(command[1]), kind, pre, answer)
	return ast.WalkSkipChildren, nil
}

func article(noun string) string {
	if strings.ContainsRune("AEIO", rune(noun[0])) {
		return "an"
	}
	return "a"
}

func (blocks) table(w util.BufWriter, _ []byte, _ ast.Node, entering bool) (ast.WalkStatus, error) {
	if entering {
		w.WriteString("<div class=\"wide\"><table>\n")
	} else {
		w.WriteString("</table></div>\n")
	}
	return ast.WalkContinue, nil
}
