package bed

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/pflag"

	"kubectl-keda/tests/cluster/internal/image"
)

// ImageBuild builds an image and writes it to an OCI archive; it needs no bed.
func ImageBuild(args []string) error {
	var contextDir, file, tag, archive string
	flags := pflag.NewFlagSet("image-build", pflag.ContinueOnError)
	flags.StringVar(&contextDir, "context", ".", "directory that the Containerfile copies from")
	flags.StringVar(&file, "file", "", "Containerfile (default Containerfile in the context)")
	flags.StringVar(&tag, "tag", "", "name of the image")
	flags.StringVar(&archive, "out", "", "OCI archive to write")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if tag == "" || archive == "" {
		return errors.New("name the image with --tag and the archive with --out")
	}
	if file == "" {
		file = filepath.Join(contextDir, "Containerfile")
	}
	l, err := openLayout("", ".")
	if err != nil {
		return err
	}
	builder, err := image.NewBuilder(l.Bin)
	if err != nil {
		return err
	}
	return builder.Build(context.Background(), contextDir, file, tag, archive)
}

// ImageLoad imports image archives into the real node.
func ImageLoad(args []string) error {
	var name, dir string
	flags := pflag.NewFlagSet("image-load", pflag.ContinueOnError)
	dirFlags(flags, &name, &dir)
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return errors.New("usage: image-load ARCHIVE...")
	}
	l, err := openLayout(name, dir)
	if err != nil {
		return err
	}
	state, err := loadState(l)
	if err != nil {
		return err
	}
	if state.RealNode == nil {
		return fmt.Errorf("the bed %s has no real node to load images into", state.Name)
	}
	for _, archive := range flags.Args() {
		if err := image.Load(context.Background(), state.RealNode.Containerd, archive); err != nil {
			return err
		}
	}
	return nil
}
