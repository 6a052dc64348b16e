// Command apitext prints the exported API of the Go package in a directory, one line for
// each constant, variable, function, type, field and method:
//
//	go run ./apitext ../clerktest
//
// Parameters have no names and Version no value, as both change without breaking callers.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"go/types"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "apitext:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	if len(args) != 1 {
		return errors.New("usage: apitext directory")
	}
	loaded, err := packages.Load(&packages.Config{
		Mode: packages.NeedName | packages.NeedTypes | packages.NeedImports,
		Dir:  args[0],
	}, ".")
	if err != nil {
		return err
	}
	w := bufio.NewWriter(out)
	for _, p := range loaded {
		if len(p.Errors) > 0 {
			return p.Errors[0]
		}
		printer{w, p.Types}.scope()
	}
	return w.Flush()
}

// A printer writes the lines of a package.
type printer struct {
	w   io.Writer
	pkg *types.Package
}

func (p printer) scope() {
	for _, name := range p.pkg.Scope().Names() { // sorted
		object := p.pkg.Scope().Lookup(name)
		if !object.Exported() {
			continue
		}
		switch object := object.(type) {
		case *types.Const:
			p.constant(object)
		case *types.Var:
			p.line("var %s %s", name, p.text(object.Type()))
		case *types.Func:
			p.line("func %s%s", name, p.signature(object))
		case *types.TypeName:
			p.typeName(object)
		}
	}
}

func (p printer) constant(object *types.Const) {
	if object.Name() == "Version" {
		p.line("const Version %s", p.text(object.Type()))
		return
	}
	p.line("const %s %s = %s", object.Name(), p.text(object.Type()), object.Val().ExactString())
}

// typeName writes a type with its fields and methods. An alias has the fields and methods of
// its type.
func (p printer) typeName(object *types.TypeName) {
	name := object.Name()
	if object.IsAlias() {
		p.line("type %s = %s", name, p.text(types.Unalias(object.Type())))
		return
	}
	named, _ := object.Type().(*types.Named)
	switch t := named.Underlying().(type) {
	case *types.Struct:
		p.line("type %s struct", p.text(named))
		p.fields(name, t)
	case *types.Interface:
		p.line("type %s interface", p.text(named))
		p.interfaceMethods(name, t)
	default:
		p.line("type %s %s", p.text(named), p.text(t))
	}
	methods := slices.SortedFunc(named.Methods(), func(a, b *types.Func) int { return strings.Compare(a.Name(), b.Name()) })
	for _, method := range methods {
		if method.Exported() {
			p.line("method (%s) %s%s", p.text(method.Signature().Recv().Type()), method.Name(), p.signature(method))
		}
	}
}

func (p printer) fields(name string, t *types.Struct) {
	for i := range t.NumFields() {
		field := t.Field(i)
		if !field.Exported() {
			continue
		}
		line := fmt.Sprintf("field %s.%s %s", name, field.Name(), p.text(field.Type()))
		if field.Embedded() {
			line += " (embedded)"
		}
		if tag := t.Tag(i); tag != "" {
			line += " `" + tag + "`"
		}
		p.line("%s", line)
	}
}

// interfaceMethods writes an interface's methods, and whether other packages can implement it.
func (p printer) interfaceMethods(name string, t *types.Interface) {
	for method := range t.Methods() { // sorted
		if method.Exported() {
			p.line("method (%s) %s%s", name, method.Name(), p.signature(method))
		} else {
			p.line("method (%s) unexported", name)
		}
	}
}

func (p printer) line(format string, args ...any) { fmt.Fprintf(p.w, format+"\n", args...) }

// text returns t with the names of packages instead of their paths.
func (p printer) text(t types.Type) string {
	return types.TypeString(t, func(pkg *types.Package) string {
		if pkg == p.pkg {
			return ""
		}
		return pkg.Name()
	})
}

// signature returns the parameters and results of f, after its type parameters.
func (p printer) signature(f *types.Func) string {
	s := f.Signature()
	unnamed := types.NewSignatureType(nil, nil, nil, withoutNames(s.Params()), withoutNames(s.Results()), s.Variadic())
	text := p.text(unnamed)[len("func"):]
	if s.TypeParams().Len() == 0 {
		return text
	}
	var typeParams []string
	for param := range s.TypeParams().TypeParams() {
		typeParams = append(typeParams, param.String()+" "+p.text(param.Constraint()))
	}
	return "[" + strings.Join(typeParams, ", ") + "]" + text
}

func withoutNames(tuple *types.Tuple) *types.Tuple {
	vars := make([]*types.Var, 0, tuple.Len())
	for v := range tuple.Variables() {
		vars = append(vars, types.NewParam(v.Pos(), v.Pkg(), "", v.Type()))
	}
	return types.NewTuple(vars...)
}
