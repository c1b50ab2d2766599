// Package rpc generates the code of the services in schema/*/v1/*.proto.
//
// It compiles them itself, so that nobody needs a protoc, and hands them to the generators that
// go.mod pins as tools.
package rpc

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path"
	"regexp"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"

	"aws-provider-executor/schema/internal/render"
)

const (
	module = "aws-provider-executor"
	source = "nodes/v1/nodes.proto"
)

// generators are tools of go.mod, and what each is told besides.
var generators = []struct{ name, parameter string }{
	{"protoc-gen-go", ""}, {"protoc-gen-connect-go", ",simple"},
}

// Files generates the code from the sources below the module's root.
func Files(root string) ([]render.File, error) {
	compiler := protocompile.Compiler{
		Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{
			ImportPaths: []string{path.Join(root, "schema")},
		}),
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	compiled, err := compiler.Compile(context.Background(), source)
	if err != nil {
		return nil, err
	}
	request := &pluginpb.CodeGeneratorRequest{
		FileToGenerate: []string{source},
		ProtoFile:      withImports(compiled[0], map[string]bool{}),
	}
	var files []render.File
	for _, generator := range generators {
		request.Parameter = proto.String("module=" + module + generator.parameter)
		generated, err := run(root, generator.name, request)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", generator.name, err)
		}
		files = append(files, generated...)
	}
	return files, nil
}

// handler begins the function that has a case for each call, and so a complexity for which nobody
// is to blame.
var handler = regexp.MustCompile(`(?m)^func New\w+Handler\(`)

// unjudged has gocyclo leave that function out.
func unjudged(code string) string {
	return handler.ReplaceAllString(code, "//\n//gocyclo:ignore\n$0")
}

// withImports is a file after all that it imports.
func withImports(
	file protoreflect.FileDescriptor, done map[string]bool,
) []*descriptorpb.FileDescriptorProto {
	if done[file.Path()] {
		return nil
	}
	done[file.Path()] = true
	var all []*descriptorpb.FileDescriptorProto
	for i := range file.Imports().Len() {
		all = append(all, withImports(file.Imports().Get(i).FileDescriptor, done)...)
	}
	return append(all, protodesc.ToFileDescriptorProto(file))
}

func run(
	root, generator string, request *pluginpb.CodeGeneratorRequest,
) ([]render.File, error) {
	input, err := proto.Marshal(request)
	if err != nil {
		return nil, err
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.Command("go", "tool", generator)
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = root, bytes.NewReader(input), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, &stderr)
	}
	var response pluginpb.CodeGeneratorResponse
	if err := proto.Unmarshal(stdout.Bytes(), &response); err != nil {
		return nil, err
	}
	if response.Error != nil {
		return nil, fmt.Errorf("%s", response.GetError())
	}
	var files []render.File
	for _, f := range response.GetFile() {
		files = append(files, render.File{Path: f.GetName(), Data: []byte(unjudged(f.GetContent()))})
	}
	return files, nil
}
