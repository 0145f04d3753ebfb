// Package image builds container images without a daemon and hands them to the real node.
//
// Builds run in buildah's chroot isolation on its vfs driver, with a store beside the bed's binaries: neither the
// configuration nor the store of a container engine on this host is read or changed.
package image

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// acceptAll is a policy for images: none is pulled, so there is no signature to ask for.
const acceptAll = `{"default": [{"type": "insecureAcceptAnything"}]}`

// namespace is containerd's namespace for the images that kubelet sees.
const namespace = "k8s.io"

// engine keeps buildah's idea of networks, which no build here uses, out of /etc/cni.
const engine = "[network]\nnetwork_backend = \"cni\"\nnetwork_config_dir = %q\n"

// notes is where buildah, as root, writes which blobs it has seen, wherever its store is.
const notes = "/var/lib/containers/cache"

// Builder builds images with a store of its own.
type Builder struct {
	dir string
}

// NewBuilder returns a builder whose store is the directory `images` beside the binaries.
func NewBuilder(bin string) (*Builder, error) {
	dir := filepath.Join(filepath.Dir(bin), "images")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	files := map[string]string{
		"policy.json":     acceptAll,
		"containers.conf": fmt.Sprintf(engine, filepath.Join(dir, "networks")),
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	return &Builder{dir}, nil
}

// Build builds a Containerfile in a context directory and writes the image, named tag, to an OCI archive.
func (b *Builder) Build(ctx context.Context, contextDir, containerfile, tag, archive string) error {
	policy := filepath.Join(b.dir, "policy.json")
	err := b.buildah(ctx, "build", "--signature-policy", policy, "--isolation", "chroot", "--pull-never",
		"--file", containerfile, "--tag", tag, contextDir)
	if err != nil {
		return err
	}
	if err := os.Remove(archive); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := b.buildah(ctx, "push", "--signature-policy", policy, tag, "oci-archive:"+archive+":"+tag); err != nil {
		return err
	}
	// The archive is what counts: a store of full copies grows with every build.
	return b.buildah(ctx, "rmi", tag)
}

// buildah runs one of buildah's commands on the builder's store.
func (b *Builder) buildah(ctx context.Context, verb string, args ...string) error {
	all := append([]string{
		"--root", filepath.Join(b.dir, "store"), "--runroot", filepath.Join(b.dir, "run"), "--storage-driver", "vfs",
		verb,
	}, args...)
	command := exec.CommandContext(ctx, "buildah", all...)
	command.Env = append(os.Environ(), "CONTAINERS_CONF="+filepath.Join(b.dir, "containers.conf"))
	if _, err := os.Stat(filepath.Dir(notes)); errors.Is(err, os.ErrNotExist) {
		defer forget()
	}
	return run(command)
}

// forget removes buildah's notes and their directories, unless something else lies there by now.
func forget() {
	found, _ := filepath.Glob(filepath.Join(notes, "blob-info-cache-*"))
	for _, path := range append(found, notes, filepath.Dir(notes)) {
		if os.Remove(path) != nil {
			return
		}
	}
}

// Load imports an OCI or Docker archive into the real node's containerd.
func Load(ctx context.Context, socket, archive string) error {
	return run(exec.CommandContext(ctx, "ctr", "--address", socket, "--namespace", namespace, "images", "import", archive))
}

// Pause builds the image of the pause binary, unless the archive is newer than the binary, and returns the archive.
func Pause(ctx context.Context, bin, tag string) (string, error) {
	binary, archive := filepath.Join(bin, "pause"), filepath.Join(bin, "pause.tar")
	if newer(archive, binary) {
		return archive, nil
	}
	builder, err := NewBuilder(bin)
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(builder.dir, "pause-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	if err := os.Link(binary, filepath.Join(dir, "pause")); err != nil {
		return "", err
	}
	containerfile := filepath.Join(dir, "Containerfile")
	text := "FROM scratch\nCOPY pause /pause\nENTRYPOINT [\"/pause\"]\n"
	if err := os.WriteFile(containerfile, []byte(text), 0o600); err != nil {
		return "", err
	}
	return archive, builder.Build(ctx, dir, containerfile, tag, archive)
}

func newer(file, than string) bool {
	a, err := os.Stat(file)
	if err != nil {
		return false
	}
	b, err := os.Stat(than)
	return err == nil && a.ModTime().After(b.ModTime())
}

func run(command *exec.Cmd) error {
	out, err := command.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(command.Args, " "), err, out)
	}
	return nil
}
