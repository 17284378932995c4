package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"strings"
)

// addGo measures one Go file. Of a test, only the columns of its comments count.
func (h *house) addGo(file, name string) error {
	src, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	h.checkComments(fset, tree, src, name)
	if strings.HasSuffix(name, "_test.go") {
		return nil
	}
	f := h.folder(path.Dir(name))
	f.lines += bytes.Count(src, []byte("\n"))
	for _, d := range tree.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			f.addFunction(fset, d, path.Dir(name))
		case *ast.GenDecl:
			f.addInterfaces(d)
		}
	}
	return nil
}

func (f *folder) addFunction(fset *token.FileSet, d *ast.FuncDecl, pkg string) {
	name := d.Name.Name
	if t := receiver(d); t != "" {
		f.methods[t]++
		name = t + "." + name
	}
	lines := fset.Position(d.End()).Line - fset.Position(d.Pos()).Line + 1
	f.functions = append(f.functions, function{name: pkg + "." + name, lines: lines})
}

// receiver is the type that d is a method of, or empty.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	for t := d.Recv.List[0].Type; ; {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr: // of one type parameter
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}

// addInterfaces counts the methods that an interface lists; those of an interface inside it are counted there.
func (f *folder) addInterfaces(d *ast.GenDecl) {
	for _, spec := range d.Specs {
		t, ok := spec.(*ast.TypeSpec)
		if !ok {
			continue
		}
		if i, ok := t.Type.(*ast.InterfaceType); ok {
			for _, m := range i.Methods.List {
				f.methods[t.Name.Name] += len(m.Names)
			}
		}
	}
}
