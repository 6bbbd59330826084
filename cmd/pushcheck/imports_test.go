package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/pushcheck/pushcheck/"

// arrows says which of our packages each package may import: the picture of
// docs/design.md as data. A package that is not here may not exist.
var arrows = map[string][]string{
	"internal/clock":       {},
	"internal/golden":      {},
	"internal/gzips":       {},
	"internal/tartest":     {"internal/gzips"},
	"internal/errcode":     {},
	"internal/mediatype":   {},
	"internal/schema1":     {"internal/mediatype"},
	"internal/tarsum":      {},
	"internal/recording":   {},
	"internal/wire":        {"internal/clock"},
	"internal/report":      {"internal/wire"},
	"internal/report/page": {"internal/gzips", "internal/report", "internal/wire"},

	"pusher/image":    {"internal/mediatype", "internal/gzips"},
	"pusher/metadata": {},
	"pusher":          {"internal/mediatype", "internal/gzips", "pusher/image", "pusher/metadata", "internal/errcode", "internal/schema1", "internal/tarsum", "internal/wire", "internal/clock"},
	"pusher/engine":   {"pusher", "pusher/image", "internal/clock"},

	"fakeregistry":              {"internal/mediatype", "internal/gzips", "internal/errcode", "internal/schema1", "internal/tarsum", "internal/wire", "internal/clock"},
	"fakeregistry/distregistry": {"internal/mediatype", "fakeregistry", "internal/schema1", "internal/wire", "internal/clock"},

	"scenarios/clients": {},
	"scenarios/library": {},
	"scenarios": {
		"internal/mediatype", "internal/gzips", "scenarios/clients", "scenarios/library", "fakeregistry", "fakeregistry/distregistry", "pusher", "pusher/image", "pusher/metadata",
		"internal/report", "internal/report/page", "internal/schema1", "internal/wire", "internal/clock",
	},
	"scenarios/scenariotest": {"scenarios", "internal/report", "internal/wire", "internal/clock"},
	"scenarios/replay":       {"internal/gzips", "pusher", "pusher/image", "pusher/metadata", "internal/recording", "internal/schema1", "internal/wire", "internal/clock"},

	"scenarios/record": {"internal/recording"},

	"conformance":                 {"internal/mediatype", "internal/gzips", "pusher", "pusher/image", "fakeregistry", "internal/report", "internal/report/page", "internal/schema1", "internal/wire", "internal/clock"},
	"conformance/conformancetest": {"conformance"},

	"cmd/pushcheck":        {"conformance", "scenarios", "scenarios/record", "scenarios/replay", "pusher", "pusher/engine", "pusher/image", "pusher/metadata", "internal/recording", "internal/report", "internal/report/page", "internal/wire", "internal/clock"},
	"internal/bench":       {"fakeregistry", "pusher", "pusher/image"},
	"internal/bench/meter": {},
}

// programs are the packages that end a process, read flags and the environment,
// and print. Nothing imports them.
var programs = []string{"cmd/pushcheck", "internal/bench", "internal/bench/meter"}

// forbidden are the names that only programs may use, by import path; "*" is the
// whole package.
var forbidden = map[string][]string{
	"os": {
		"Exit", "Getenv", "LookupEnv", "Environ", "Setenv", "ExpandEnv", "Stdin", "Stdout", "Stderr", "Args",
		"UserHomeDir", "UserCacheDir", "UserConfigDir", "Getwd", "Chdir",
	},
	"os/signal":     {"*"},
	"flag":          {"*"},
	"log":           {"Default", "Print", "Printf", "Println", "Fatal", "Fatalf", "Fatalln", "Panic", "Panicf", "Panicln", "SetOutput"},
	"log/slog":      {"Default", "SetDefault", "Debug", "Info", "Warn", "Error"},
	"fmt":           {"Print", "Printf", "Println"},
	"time":          {"Now", "Sleep", "After", "AfterFunc", "Tick", "Since", "Until"},
	"context":       {"Background", "TODO"},
	"net/http":      {"DefaultClient", "DefaultTransport", "DefaultServeMux", "Get", "Head", "Post", "PostForm", "Handle", "HandleFunc"},
	"math/rand":     {"*"},
	"math/rand/v2":  {"Int", "IntN", "Int64", "Int64N", "Uint32", "Uint64", "Float64", "Perm", "Shuffle", "N"},
	"runtime/debug": {"SetGCPercent", "SetMemoryLimit"},

	"github.com/spf13/cobra":                             {"*"},
	"github.com/spf13/pflag":                             {"*"},
	"golang.org/x/term":                                  {"*"},
	"github.com/docker/docker-credential-helpers/client": {"*"},
}

// exceptions are the uses that stand, each with its reason.
var exceptions = map[string]string{
	"internal/clock time.Now":       "the real clock",
	"internal/clock time.AfterFunc": "the real clock",
	"internal/golden flag (flag)":   "-update, in tests only",

	"fakeregistry/distregistry context.Background": "an app of distribution lives as long as the process",
}

func TestImports(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	seen := map[string]bool{}
	for _, path := range goFiles(t, root) {
		pkg := filepath.ToSlash(filepath.Dir(path))
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, filepath.Join(root, path), nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		if strings.HasSuffix(path, "_test.go") {
			continue // a test may use what it wants
		}
		seen[pkg] = true
		allowed, known := arrows[pkg]
		if !known {
			t.Errorf("%s: package %s is not in the table of arrows", path, pkg)
			continue
		}
		names := map[string]string{} // name in this file → import path
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			require.NoError(t, err)
			names[importName(spec, imported)] = imported
			if problem := checkImport(pkg, imported, allowed); problem != "" {
				t.Errorf("%s: %s", fset.Position(spec.Pos()), problem)
			}
		}
		if !slices.Contains(programs, pkg) {
			for pos, name := range uses(file, names) {
				if _, ok := exceptions[pkg+" "+name]; !ok {
					t.Errorf("%s: %s belongs in cmd", fset.Position(pos), name)
				}
			}
		}
	}
	for pkg := range arrows {
		if !seen[pkg] {
			t.Errorf("the table of arrows has %s, which does not exist", pkg)
		}
	}
}

func checkImport(pkg, imported string, allowed []string) string {
	switch {
	case strings.HasPrefix(imported, module):
		if own := strings.TrimPrefix(imported, module); !slices.Contains(allowed, own) {
			return pkg + " may not import " + own
		}
	case strings.HasPrefix(imported, "github.com/distribution/distribution/v3"):
		if pkg != "fakeregistry/distregistry" {
			return "only fakeregistry/distregistry may import distribution"
		}
	case imported == "testing" || strings.HasPrefix(imported, "testing/") || strings.HasPrefix(imported, "github.com/stretchr/testify"):
		if !strings.HasSuffix(pkg, "test") && pkg != "internal/golden" {
			return imported + " belongs in tests and in packages whose name ends in test"
		}
	}
	return ""
}

// uses finds the forbidden names that a file mentions, and compiled regular
// expressions that start-up would pay for.
func uses(file *ast.File, names map[string]string) map[token.Pos]string {
	found := map[token.Pos]string{}
	for name, path := range names {
		if slices.Contains(forbidden[path], "*") {
			found[file.Name.Pos()] = name + " (" + path + ")"
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if ident, ok := call.Fun.(*ast.Ident); ok && (ident.Name == "print" || ident.Name == "println") {
				found[call.Pos()] = ident.Name
			}
		}
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && slices.Contains(forbidden[names[x.Name]], sel.Sel.Name) {
				found[sel.Pos()] = names[x.Name] + "." + sel.Sel.Name
			}
		}
		return true
	})
	for _, decl := range file.Decls {
		if gen, ok := decl.(*ast.GenDecl); ok && gen.Tok == token.VAR {
			ast.Inspect(gen, func(n ast.Node) bool {
				if _, lazy := n.(*ast.FuncLit); lazy {
					return false
				}
				if sel, ok := n.(*ast.SelectorExpr); ok {
					if x, ok := sel.X.(*ast.Ident); ok && names[x.Name] == "regexp" && strings.HasPrefix(sel.Sel.Name, "MustCompile") {
						found[sel.Pos()] = "regexp." + sel.Sel.Name + " at package level"
					}
				}
				return true
			})
		}
	}
	return found
}

func importName(spec *ast.ImportSpec, path string) string {
	if spec.Name != nil {
		return spec.Name.Name
	}
	parts := strings.Split(path, "/")
	last := parts[len(parts)-1]
	if len(parts) > 1 && len(last) > 1 && last[0] == 'v' && last[1] >= '0' && last[1] <= '9' {
		last = parts[len(parts)-2]
	}
	return strings.TrimPrefix(last, "go-")
}

// goFiles lists every Go file below root that the go command would build, by
// its path from there.
func goFiles(t *testing.T, root string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && path != root && (name == "testdata" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")) {
			return fs.SkipDir
		}
		if !d.IsDir() && strings.HasSuffix(name, ".go") {
			rel, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			files = append(files, rel)
		}
		return nil
	})
	require.NoError(t, err)
	require.Greater(t, len(files), 10, "the walk from %s finds too little", root)
	return files
}
