
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'kubectl-keda' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'kubectl-keda'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'kubectl-keda' {
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file to use instead of $KUBECONFIG or ~/.kube/config')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig to use')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'Cluster of the kubeconfig to use')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'User of the kubeconfig to use')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace to work in, instead of the context''s')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace to work in, instead of the context''s')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Address of the API server')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Address of the API server')
            [CompletionResult]::new('--token', '--token', [CompletionResultType]::ParameterName, 'Bearer token to show to the API server')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'User to act as')
            [CompletionResult]::new('--as-group', '--as-group', [CompletionResultType]::ParameterName, 'Group to act as a member of; may be given several times')
            [CompletionResult]::new('--as-uid', '--as-uid', [CompletionResultType]::ParameterName, 'Uid to act as')
            [CompletionResult]::new('--certificate-authority', '--certificate-authority', [CompletionResultType]::ParameterName, 'File with the certificates of the authority that signed the API server''s certificate')
            [CompletionResult]::new('--client-certificate', '--client-certificate', [CompletionResultType]::ParameterName, 'File with the client certificate')
            [CompletionResult]::new('--client-key', '--client-key', [CompletionResultType]::ParameterName, 'File with the key of the client certificate')
            [CompletionResult]::new('--insecure-skip-tls-verify', '--insecure-skip-tls-verify', [CompletionResultType]::ParameterName, 'Do not check the API server''s certificate, which lets anybody in between read and change everything')
            [CompletionResult]::new('--tls-server-name', '--tls-server-name', [CompletionResultType]::ParameterName, 'Name to expect in the API server''s certificate, instead of its host name')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'How long one request may take, such as `10s` or `2m`; `0` means for ever')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('install', 'install', [CompletionResultType]::ParameterValue, 'Install the controller, the metrics adapter and the custom resources')
            [CompletionResult]::new('upgrade', 'upgrade', [CompletionResultType]::ParameterValue, 'Bring an installation to this version')
            [CompletionResult]::new('uninstall', 'uninstall', [CompletionResultType]::ParameterValue, 'Remove an installation')
            [CompletionResult]::new('status', 'status', [CompletionResultType]::ParameterValue, 'Show what is scaled, by what, and why')
            [CompletionResult]::new('explain', 'explain', [CompletionResultType]::ParameterValue, 'Tell what happened to one object, why, and what comes next')
            [CompletionResult]::new('connections', 'connections', [CompletionResultType]::ParameterValue, 'Show the connections to event sources, and who shares them')
            [CompletionResult]::new('validate', 'validate', [CompletionResultType]::ParameterValue, 'Find the mistakes in manifests, without a cluster')
            [CompletionResult]::new('dry-run', 'dry-run', [CompletionResultType]::ParameterValue, 'Ask the triggers now and tell what would follow, without writing anything')
            [CompletionResult]::new('simulate', 'simulate', [CompletionResultType]::ParameterValue, 'Tell what a manifest would have done with a recorded load, or a made-up one')
            [CompletionResult]::new('record', 'record', [CompletionResultType]::ParameterValue, 'Write down what the triggers say over time, as a series for `simulate`')
            [CompletionResult]::new('scaffold', 'scaffold', [CompletionResultType]::ParameterValue, 'Print a commented manifest for a scaler type')
            [CompletionResult]::new('scalers', 'scalers', [CompletionResultType]::ParameterValue, 'List the scaler types, or the settings of one')
            [CompletionResult]::new('version', 'version', [CompletionResultType]::ParameterValue, 'Show the versions of this command, the cluster and the controller')
            [CompletionResult]::new('completion', 'completion', [CompletionResultType]::ParameterValue, 'Print the completion script of a shell')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'kubectl-keda;install' {
            [CompletionResult]::new('--registry', '--registry', [CompletionResultType]::ParameterName, 'Registry that the images come from, such as `registry.example:5000/keda`')
            [CompletionResult]::new('--image-tag', '--image-tag', [CompletionResultType]::ParameterName, 'Tag of the images; the version of this command by default')
            [CompletionResult]::new('--image-pull-secret', '--image-pull-secret', [CompletionResultType]::ParameterName, 'Secret in the installation''s namespace with the credentials of the registry')
            [CompletionResult]::new('--image-pull-policy', '--image-pull-policy', [CompletionResultType]::ParameterName, 'When the kubelet pulls the images')
            [CompletionResult]::new('--replicas', '--replicas', [CompletionResultType]::ParameterName, 'Replicas of controller and adapter, each; one controller leads, the others stand by')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'How long to wait, such as `90s` or `5m`')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Write nothing: `client` only renders, `server` lets the API server check every object')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Form of the answer: yaml, json, name or jsonpath=TEMPLATE print the objects')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Form of the answer: yaml, json, name or jsonpath=TEMPLATE print the objects')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file to use instead of $KUBECONFIG or ~/.kube/config')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig to use')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'Cluster of the kubeconfig to use')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'User of the kubeconfig to use')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace to work in, instead of the context''s')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace to work in, instead of the context''s')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Address of the API server')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Address of the API server')
            [CompletionResult]::new('--token', '--token', [CompletionResultType]::ParameterName, 'Bearer token to show to the API server')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'User to act as')
            [CompletionResult]::new('--as-group', '--as-group', [CompletionResultType]::ParameterName, 'Group to act as a member of; may be given several times')
            [CompletionResult]::new('--as-uid', '--as-uid', [CompletionResultType]::ParameterName, 'Uid to act as')
            [CompletionResult]::new('--certificate-authority', '--certificate-authority', [CompletionResultType]::ParameterName, 'File with the certificates of the authority that signed the API server''s certificate')
            [CompletionResult]::new('--client-certificate', '--client-certificate', [CompletionResultType]::ParameterName, 'File with the client certificate')
            [CompletionResult]::new('--client-key', '--client-key', [CompletionResultType]::ParameterName, 'File with the key of the client certificate')
            [CompletionResult]::new('--insecure-skip-tls-verify', '--insecure-skip-tls-verify', [CompletionResultType]::ParameterName, 'Do not check the API server''s certificate, which lets anybody in between read and change everything')
            [CompletionResult]::new('--tls-server-name', '--tls-server-name', [CompletionResultType]::ParameterName, 'Name to expect in the API server''s certificate, instead of its host name')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'How long one request may take, such as `10s` or `2m`; `0` means for ever')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Wait until everything is up and the API server reads metrics; say what is missing, and why')
            [CompletionResult]::new('--replace', '--replace', [CompletionResultType]::ParameterName, 'Replace what somebody else installed under these names: the Deployments of another KEDA, an APIService that leads elsewhere')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'kubectl-keda;upgrade' {
            [CompletionResult]::new('--registry', '--registry', [CompletionResultType]::ParameterName, 'Registry that the images come from, such as `registry.example:5000/keda`')
            [CompletionResult]::new('--image-tag', '--image-tag', [CompletionResultType]::ParameterName, 'Tag of the images; the version of this command by default')
            [CompletionResult]::new('--image-pull-secret', '--image-pull-secret', [CompletionResultType]::ParameterName, 'Secret in the installation''s namespace with the credentials of the registry')
            [CompletionResult]::new('--image-pull-policy', '--image-pull-policy', [CompletionResultType]::ParameterName, 'When the kubelet pulls the images')
            [CompletionResult]::new('--replicas', '--replicas', [CompletionResultType]::ParameterName, 'Replicas of controller and adapter, each; one controller leads, the others stand by')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'How long to wait, such as `90s` or `5m`')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Write nothing: `client` only renders, `server` lets the API server check every object')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Form of the answer: yaml, json, name or jsonpath=TEMPLATE print the objects')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Form of the answer: yaml, json, name or jsonpath=TEMPLATE print the objects')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file to use instead of $KUBECONFIG or ~/.kube/config')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig to use')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'Cluster of the kubeconfig to use')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'User of the kubeconfig to use')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace to work in, instead of the context''s')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace to work in, instead of the context''s')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Address of the API server')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Address of the API server')
            [CompletionResult]::new('--token', '--token', [CompletionResultType]::ParameterName, 'Bearer token to show to the API server')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'User to act as')
            [CompletionResult]::new('--as-group', '--as-group', [CompletionResultType]::ParameterName, 'Group to act as a member of; may be given several times')
            [CompletionResult]::new('--as-uid', '--as-uid', [CompletionResultType]::ParameterName, 'Uid to act as')
            [CompletionResult]::new('--certificate-authority', '--certificate-authority', [CompletionResultType]::ParameterName, 'File with the certificates of the authority that signed the API server''s certificate')
            [CompletionResult]::new('--client-certificate', '--client-certificate', [CompletionResultType]::ParameterName, 'File with the client certificate')
            [CompletionResult]::new('--client-key', '--client-key', [CompletionResultType]::ParameterName, 'File with the key of the client certificate')
            [CompletionResult]::new('--insecure-skip-tls-verify', '--insecure-skip-tls-verify', [CompletionResultType]::ParameterName, 'Do not check the API server''s certificate, which lets anybody in between read and change everything')
            [CompletionResult]::new('--tls-server-name', '--tls-server-name', [CompletionResultType]::ParameterName, 'Name to expect in the API server''s certificate, instead of its host name')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'How long one request may take, such as `10s` or `2m`; `0` means for ever')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Wait until everything is up and the API server reads metrics; say what is missing, and why')
            [CompletionResult]::new('--replace', '--replace', [CompletionResultType]::ParameterName, 'Replace what somebody else installed under these names: the Deployments of another KEDA, an APIService that leads elsewhere')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'kubectl-keda;uninstall' {
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'How long all of it may take, such as `90s` or `5m`')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file to use instead of $KUBECONFIG or ~/.kube/config')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig to use')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'Cluster of the kubeconfig to use')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'User of the kubeconfig to use')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace to work in, instead of the context''s')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace to work in, instead of the context''s')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Address of the API server')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Address of the API server')
            [CompletionResult]::new('--token', '--token', [CompletionResultType]::ParameterName, 'Bearer token to show to the API server')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'User to act as')
            [CompletionResult]::new('--as-group', '--as-group', [CompletionResultType]::ParameterName, 'Group to act as a member of; may be given several times')
            [CompletionResult]::new('--as-uid', '--as-uid', [CompletionResultType]::ParameterName, 'Uid to act as')
            [CompletionResult]::new('--certificate-authority', '--certificate-authority', [CompletionResultType]::ParameterName, 'File with the certificates of the authority that signed the API server''s certificate')
            [CompletionResult]::new('--client-certificate', '--client-certificate', [CompletionResultType]::ParameterName, 'File with the client certificate')
            [CompletionResult]::new('--client-key', '--client-key', [CompletionResultType]::ParameterName, 'File with the key of the client certificate')
            [CompletionResult]::new('--insecure-skip-tls-verify', '--insecure-skip-tls-verify', [CompletionResultType]::ParameterName, 'Do not check the API server''s certificate, which lets anybody in between read and change everything')
            [CompletionResult]::new('--tls-server-name', '--tls-server-name', [CompletionResultType]::ParameterName, 'Name to expect in the API server''s certificate, instead of its host name')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'How long one request may take, such as `10s` or `2m`; `0` means for ever')
            [CompletionResult]::new('--keep-crds', '--keep-crds', [CompletionResultType]::ParameterName, 'Keep the custom resource definitions and every ScaledObject, ScaledJob and TriggerAuthentication')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Do not ask before custom resources are deleted')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Do not ask before custom resources are deleted')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Remove nothing: list what would go, and let the API server check that you may')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'kubectl-keda;status' {
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Show only objects whose labels match')
            [CompletionResult]::new('--selector', '--selector', [CompletionResultType]::ParameterName, 'Show only objects whose labels match')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print them: table, wide, json, yaml, name or jsonpath=TEMPLATE')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print them: table, wide, json, yaml, name or jsonpath=TEMPLATE')
            [CompletionResult]::new('--file', '--file', [CompletionResultType]::ParameterName, 'Read objects from a file instead of a cluster')
            [CompletionResult]::new('--keda-namespace', '--keda-namespace', [CompletionResultType]::ParameterName, 'Namespace of the installation, where the APIService does not tell')
            [CompletionResult]::new('--debug-address', '--debug-address', [CompletionResultType]::ParameterName, 'Address of a controller that runs outside the cluster, instead of a forwarded port')
            [CompletionResult]::new('--debug-ca', '--debug-ca', [CompletionResultType]::ParameterName, 'File with the CA of the controller''s certificate, instead of the APIService''s caBundle')
            [CompletionResult]::new('--debug-token', '--debug-token', [CompletionResultType]::ParameterName, 'Token to show: a short-lived one of the service account `keda-debug`, or your own')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file to use instead of $KUBECONFIG or ~/.kube/config')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig to use')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'Cluster of the kubeconfig to use')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'User of the kubeconfig to use')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace to work in, instead of the context''s')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace to work in, instead of the context''s')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Address of the API server')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Address of the API server')
            [CompletionResult]::new('--token', '--token', [CompletionResultType]::ParameterName, 'Bearer token to show to the API server')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'User to act as')
            [CompletionResult]::new('--as-group', '--as-group', [CompletionResultType]::ParameterName, 'Group to act as a member of; may be given several times')
            [CompletionResult]::new('--as-uid', '--as-uid', [CompletionResultType]::ParameterName, 'Uid to act as')
            [CompletionResult]::new('--certificate-authority', '--certificate-authority', [CompletionResultType]::ParameterName, 'File with the certificates of the authority that signed the API server''s certificate')
            [CompletionResult]::new('--client-certificate', '--client-certificate', [CompletionResultType]::ParameterName, 'File with the client certificate')
            [CompletionResult]::new('--client-key', '--client-key', [CompletionResultType]::ParameterName, 'File with the key of the client certificate')
            [CompletionResult]::new('--insecure-skip-tls-verify', '--insecure-skip-tls-verify', [CompletionResultType]::ParameterName, 'Do not check the API server''s certificate, which lets anybody in between read and change everything')
            [CompletionResult]::new('--tls-server-name', '--tls-server-name', [CompletionResultType]::ParameterName, 'Name to expect in the API server''s certificate, instead of its host name')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'How long one request may take, such as `10s` or `2m`; `0` means for ever')
            [CompletionResult]::new('-A', '-A ', [CompletionResultType]::ParameterName, 'Show the objects of all namespaces')
            [CompletionResult]::new('--all-namespaces', '--all-namespaces', [CompletionResultType]::ParameterName, 'Show the objects of all namespaces')
            [CompletionResult]::new('-w', '-w', [CompletionResultType]::ParameterName, 'Go on showing, as things change')
            [CompletionResult]::new('--watch', '--watch', [CompletionResultType]::ParameterName, 'Go on showing, as things change')
            [CompletionResult]::new('--no-headers', '--no-headers', [CompletionResultType]::ParameterName, 'Leave the headings out')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'kubectl-keda;explain' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print it: table, json, yaml or jsonpath=TEMPLATE')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print it: table, json, yaml or jsonpath=TEMPLATE')
            [CompletionResult]::new('--keda-namespace', '--keda-namespace', [CompletionResultType]::ParameterName, 'Namespace of the installation, where the APIService does not tell')
            [CompletionResult]::new('--debug-address', '--debug-address', [CompletionResultType]::ParameterName, 'Address of a controller that runs outside the cluster, instead of a forwarded port')
            [CompletionResult]::new('--debug-ca', '--debug-ca', [CompletionResultType]::ParameterName, 'File with the CA of the controller''s certificate, instead of the APIService''s caBundle')
            [CompletionResult]::new('--debug-token', '--debug-token', [CompletionResultType]::ParameterName, 'Token to show: a short-lived one of the service account `keda-debug`, or your own')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file to use instead of $KUBECONFIG or ~/.kube/config')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig to use')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'Cluster of the kubeconfig to use')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'User of the kubeconfig to use')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace to work in, instead of the context''s')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace to work in, instead of the context''s')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Address of the API server')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Address of the API server')
            [CompletionResult]::new('--token', '--token', [CompletionResultType]::ParameterName, 'Bearer token to show to the API server')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'User to act as')
            [CompletionResult]::new('--as-group', '--as-group', [CompletionResultType]::ParameterName, 'Group to act as a member of; may be given several times')
            [CompletionResult]::new('--as-uid', '--as-uid', [CompletionResultType]::ParameterName, 'Uid to act as')
            [CompletionResult]::new('--certificate-authority', '--certificate-authority', [CompletionResultType]::ParameterName, 'File with the certificates of the authority that signed the API server''s certificate')
            [CompletionResult]::new('--client-certificate', '--client-certificate', [CompletionResultType]::ParameterName, 'File with the client certificate')
            [CompletionResult]::new('--client-key', '--client-key', [CompletionResultType]::ParameterName, 'File with the key of the client certificate')
            [CompletionResult]::new('--insecure-skip-tls-verify', '--insecure-skip-tls-verify', [CompletionResultType]::ParameterName, 'Do not check the API server''s certificate, which lets anybody in between read and change everything')
            [CompletionResult]::new('--tls-server-name', '--tls-server-name', [CompletionResultType]::ParameterName, 'Name to expect in the API server''s certificate, instead of its host name')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'How long one request may take, such as `10s` or `2m`; `0` means for ever')
            [CompletionResult]::new('--records', '--records', [CompletionResultType]::ParameterName, 'Print every record of the ledger, not only what acted')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'kubectl-keda;connections' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print them: table, wide, json, yaml, name or jsonpath=TEMPLATE')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print them: table, wide, json, yaml, name or jsonpath=TEMPLATE')
            [CompletionResult]::new('--keda-namespace', '--keda-namespace', [CompletionResultType]::ParameterName, 'Namespace of the installation, where the APIService does not tell')
            [CompletionResult]::new('--debug-address', '--debug-address', [CompletionResultType]::ParameterName, 'Address of a controller that runs outside the cluster, instead of a forwarded port')
            [CompletionResult]::new('--debug-ca', '--debug-ca', [CompletionResultType]::ParameterName, 'File with the CA of the controller''s certificate, instead of the APIService''s caBundle')
            [CompletionResult]::new('--debug-token', '--debug-token', [CompletionResultType]::ParameterName, 'Token to show: a short-lived one of the service account `keda-debug`, or your own')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file to use instead of $KUBECONFIG or ~/.kube/config')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig to use')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'Cluster of the kubeconfig to use')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'User of the kubeconfig to use')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace to work in, instead of the context''s')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace to work in, instead of the context''s')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Address of the API server')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Address of the API server')
            [CompletionResult]::new('--token', '--token', [CompletionResultType]::ParameterName, 'Bearer token to show to the API server')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'User to act as')
            [CompletionResult]::new('--as-group', '--as-group', [CompletionResultType]::ParameterName, 'Group to act as a member of; may be given several times')
            [CompletionResult]::new('--as-uid', '--as-uid', [CompletionResultType]::ParameterName, 'Uid to act as')
            [CompletionResult]::new('--certificate-authority', '--certificate-authority', [CompletionResultType]::ParameterName, 'File with the certificates of the authority that signed the API server''s certificate')
            [CompletionResult]::new('--client-certificate', '--client-certificate', [CompletionResultType]::ParameterName, 'File with the client certificate')
            [CompletionResult]::new('--client-key', '--client-key', [CompletionResultType]::ParameterName, 'File with the key of the client certificate')
            [CompletionResult]::new('--insecure-skip-tls-verify', '--insecure-skip-tls-verify', [CompletionResultType]::ParameterName, 'Do not check the API server''s certificate, which lets anybody in between read and change everything')
            [CompletionResult]::new('--tls-server-name', '--tls-server-name', [CompletionResultType]::ParameterName, 'Name to expect in the API server''s certificate, instead of its host name')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'How long one request may take, such as `10s` or `2m`; `0` means for ever')
            [CompletionResult]::new('-A', '-A ', [CompletionResultType]::ParameterName, 'Show the connections of all namespaces')
            [CompletionResult]::new('--all-namespaces', '--all-namespaces', [CompletionResultType]::ParameterName, 'Show the connections of all namespaces')
            [CompletionResult]::new('--no-headers', '--no-headers', [CompletionResultType]::ParameterName, 'Leave the headings out')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'kubectl-keda;validate' {
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'File or folder with manifests, or `-` for standard input; may be given several times')
            [CompletionResult]::new('--filename', '--filename', [CompletionResultType]::ParameterName, 'File or folder with manifests, or `-` for standard input; may be given several times')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print it: table, json, yaml or jsonpath=TEMPLATE')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print it: table, json, yaml or jsonpath=TEMPLATE')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file to use instead of $KUBECONFIG or ~/.kube/config')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig to use')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'Cluster of the kubeconfig to use')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'User of the kubeconfig to use')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace to work in, instead of the context''s')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace to work in, instead of the context''s')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Address of the API server')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Address of the API server')
            [CompletionResult]::new('--token', '--token', [CompletionResultType]::ParameterName, 'Bearer token to show to the API server')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'User to act as')
            [CompletionResult]::new('--as-group', '--as-group', [CompletionResultType]::ParameterName, 'Group to act as a member of; may be given several times')
            [CompletionResult]::new('--as-uid', '--as-uid', [CompletionResultType]::ParameterName, 'Uid to act as')
            [CompletionResult]::new('--certificate-authority', '--certificate-authority', [CompletionResultType]::ParameterName, 'File with the certificates of the authority that signed the API server''s certificate')
            [CompletionResult]::new('--client-certificate', '--client-certificate', [CompletionResultType]::ParameterName, 'File with the client certificate')
            [CompletionResult]::new('--client-key', '--client-key', [CompletionResultType]::ParameterName, 'File with the key of the client certificate')
            [CompletionResult]::new('--insecure-skip-tls-verify', '--insecure-skip-tls-verify', [CompletionResultType]::ParameterName, 'Do not check the API server''s certificate, which lets anybody in between read and change everything')
            [CompletionResult]::new('--tls-server-name', '--tls-server-name', [CompletionResultType]::ParameterName, 'Name to expect in the API server''s certificate, instead of its host name')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'How long one request may take, such as `10s` or `2m`; `0` means for ever')
            [CompletionResult]::new('--strict', '--strict', [CompletionResultType]::ParameterName, 'Treat warnings as errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'kubectl-keda;dry-run' {
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'File or folder with manifests, or `-` for standard input; may be given several times')
            [CompletionResult]::new('--filename', '--filename', [CompletionResultType]::ParameterName, 'File or folder with manifests, or `-` for standard input; may be given several times')
            [CompletionResult]::new('--set', '--set', [CompletionResultType]::ParameterName, 'Take this value for a trigger (by name or position) instead of asking; may be given several times')
            [CompletionResult]::new('--replicas', '--replicas', [CompletionResultType]::ParameterName, 'Start from so many replicas, instead of those that the target has')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print it: table, json, yaml or jsonpath=TEMPLATE')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print it: table, json, yaml or jsonpath=TEMPLATE')
            [CompletionResult]::new('--keda-namespace', '--keda-namespace', [CompletionResultType]::ParameterName, 'Namespace of the installation, where the APIService does not tell')
            [CompletionResult]::new('--debug-address', '--debug-address', [CompletionResultType]::ParameterName, 'Address of a controller that runs outside the cluster, instead of a forwarded port')
            [CompletionResult]::new('--debug-ca', '--debug-ca', [CompletionResultType]::ParameterName, 'File with the CA of the controller''s certificate, instead of the APIService''s caBundle')
            [CompletionResult]::new('--debug-token', '--debug-token', [CompletionResultType]::ParameterName, 'Token to show: a short-lived one of the service account `keda-debug`, or your own')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file to use instead of $KUBECONFIG or ~/.kube/config')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig to use')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'Cluster of the kubeconfig to use')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'User of the kubeconfig to use')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace to work in, instead of the context''s')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace to work in, instead of the context''s')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Address of the API server')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Address of the API server')
            [CompletionResult]::new('--token', '--token', [CompletionResultType]::ParameterName, 'Bearer token to show to the API server')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'User to act as')
            [CompletionResult]::new('--as-group', '--as-group', [CompletionResultType]::ParameterName, 'Group to act as a member of; may be given several times')
            [CompletionResult]::new('--as-uid', '--as-uid', [CompletionResultType]::ParameterName, 'Uid to act as')
            [CompletionResult]::new('--certificate-authority', '--certificate-authority', [CompletionResultType]::ParameterName, 'File with the certificates of the authority that signed the API server''s certificate')
            [CompletionResult]::new('--client-certificate', '--client-certificate', [CompletionResultType]::ParameterName, 'File with the client certificate')
            [CompletionResult]::new('--client-key', '--client-key', [CompletionResultType]::ParameterName, 'File with the key of the client certificate')
            [CompletionResult]::new('--insecure-skip-tls-verify', '--insecure-skip-tls-verify', [CompletionResultType]::ParameterName, 'Do not check the API server''s certificate, which lets anybody in between read and change everything')
            [CompletionResult]::new('--tls-server-name', '--tls-server-name', [CompletionResultType]::ParameterName, 'Name to expect in the API server''s certificate, instead of its host name')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'How long one request may take, such as `10s` or `2m`; `0` means for ever')
            [CompletionResult]::new('--in-cluster', '--in-cluster', [CompletionResultType]::ParameterName, 'Let the controller ask, from inside the cluster and with its credentials')
            [CompletionResult]::new('-w', '-w', [CompletionResultType]::ParameterName, 'Go on asking until Ctrl-C')
            [CompletionResult]::new('--watch', '--watch', [CompletionResultType]::ParameterName, 'Go on asking until Ctrl-C')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'kubectl-keda;simulate' {
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'File or folder with manifests, or `-` for standard input; may be given several times')
            [CompletionResult]::new('--filename', '--filename', [CompletionResultType]::ParameterName, 'File or folder with manifests, or `-` for standard input; may be given several times')
            [CompletionResult]::new('--compare', '--compare', [CompletionResultType]::ParameterName, 'Manifest to run on the same series, to be seen beside the first')
            [CompletionResult]::new('--assert', '--assert', [CompletionResultType]::ParameterName, 'Rule that must hold, such as `max(backlog) < 1000 && flaps <= 4`; may be given several times')
            [CompletionResult]::new('--svg', '--svg', [CompletionResultType]::ParameterName, 'File to draw the plot into, as SVG')
            [CompletionResult]::new('--html', '--html', [CompletionResultType]::ParameterName, 'File to write a page with a plot to look around in; it needs nothing else')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print it: table or json')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print it: table or json')
            [CompletionResult]::new('--replica-hour-price', '--replica-hour-price', [CompletionResultType]::ParameterName, 'What a replica costs an hour')
            [CompletionResult]::new('--series', '--series', [CompletionResultType]::ParameterName, 'File with the values over time, or `-`: CSV with the header `t,TRIGGER…`, JSON lines or OpenMetrics')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How the file is written, where its name does not tell')
            [CompletionResult]::new('--column', '--column', [CompletionResultType]::ParameterName, 'Column of a trigger (by name or position) that is called otherwise; columns of no trigger are then left out')
            [CompletionResult]::new('--load', '--load', [CompletionResultType]::ParameterName, 'Made-up load, such as `day(peak=500,base=20)` or `orders=steps(0,100,each=1h)`; may be given several times')
            [CompletionResult]::new('--prometheus', '--prometheus', [CompletionResultType]::ParameterName, 'Prometheus server to fetch the past from; a user may stand in the URL')
            [CompletionResult]::new('--query', '--query', [CompletionResultType]::ParameterName, 'Query for a trigger, instead of those of the manifest''s `prometheus` triggers; may be given several times')
            [CompletionResult]::new('--since', '--since', [CompletionResultType]::ParameterName, 'How far back to fetch')
            [CompletionResult]::new('--step', '--step', [CompletionResultType]::ParameterName, 'Time between two values that are fetched')
            [CompletionResult]::new('--write-series', '--write-series', [CompletionResultType]::ParameterName, 'File to write a made-up load or what was fetched into, as CSV')
            [CompletionResult]::new('--for', '--for', [CompletionResultType]::ParameterName, 'How long to simulate, such as `8h` or `7d`: until the last row of a series, or a day of a load')
            [CompletionResult]::new('--service-rate', '--service-rate', [CompletionResultType]::ParameterName, 'Messages a second that one ready replica can do; the column `arrivals` says how many arrive a second')
            [CompletionResult]::new('--initial-backlog', '--initial-backlog', [CompletionResultType]::ParameterName, 'Messages that wait at the start')
            [CompletionResult]::new('--input', '--input', [CompletionResultType]::ParameterName, 'What a trigger without a column shows: backlog, in-system, arrivals or busy; may be given several times')
            [CompletionResult]::new('--replicas', '--replicas', [CompletionResultType]::ParameterName, 'Replicas at the start, instead of those of the target in the files, or 1')
            [CompletionResult]::new('--pod-startup', '--pod-startup', [CompletionResultType]::ParameterName, 'Time from the creation of a pod until it is ready')
            [CompletionResult]::new('--pod-drain', '--pod-drain', [CompletionResultType]::ParameterName, 'Time from the deletion of a pod until it is gone')
            [CompletionResult]::new('--hpa-sync-period', '--hpa-sync-period', [CompletionResultType]::ParameterName, 'The HPA''s `--horizontal-pod-autoscaler-sync-period`')
            [CompletionResult]::new('--tolerance', '--tolerance', [CompletionResultType]::ParameterName, 'The HPA''s `--horizontal-pod-autoscaler-tolerance`')
            [CompletionResult]::new('--downscale-stabilization', '--downscale-stabilization', [CompletionResultType]::ParameterName, 'The HPA''s `--horizontal-pod-autoscaler-downscale-stabilization`')
            [CompletionResult]::new('--cpu-initialization-period', '--cpu-initialization-period', [CompletionResultType]::ParameterName, 'The HPA''s `--horizontal-pod-autoscaler-cpu-initialization-period`')
            [CompletionResult]::new('--initial-readiness-delay', '--initial-readiness-delay', [CompletionResultType]::ParameterName, 'The HPA''s `--horizontal-pod-autoscaler-initial-readiness-delay`')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file to use instead of $KUBECONFIG or ~/.kube/config')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig to use')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'Cluster of the kubeconfig to use')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'User of the kubeconfig to use')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace to work in, instead of the context''s')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace to work in, instead of the context''s')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Address of the API server')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Address of the API server')
            [CompletionResult]::new('--token', '--token', [CompletionResultType]::ParameterName, 'Bearer token to show to the API server')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'User to act as')
            [CompletionResult]::new('--as-group', '--as-group', [CompletionResultType]::ParameterName, 'Group to act as a member of; may be given several times')
            [CompletionResult]::new('--as-uid', '--as-uid', [CompletionResultType]::ParameterName, 'Uid to act as')
            [CompletionResult]::new('--certificate-authority', '--certificate-authority', [CompletionResultType]::ParameterName, 'File with the certificates of the authority that signed the API server''s certificate')
            [CompletionResult]::new('--client-certificate', '--client-certificate', [CompletionResultType]::ParameterName, 'File with the client certificate')
            [CompletionResult]::new('--client-key', '--client-key', [CompletionResultType]::ParameterName, 'File with the key of the client certificate')
            [CompletionResult]::new('--insecure-skip-tls-verify', '--insecure-skip-tls-verify', [CompletionResultType]::ParameterName, 'Do not check the API server''s certificate, which lets anybody in between read and change everything')
            [CompletionResult]::new('--tls-server-name', '--tls-server-name', [CompletionResultType]::ParameterName, 'Name to expect in the API server''s certificate, instead of its host name')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'How long one request may take, such as `10s` or `2m`; `0` means for ever')
            [CompletionResult]::new('--every-step', '--every-step', [CompletionResultType]::ParameterName, 'With -o json: a step for every poll and every sync of the HPA, instead of one a change')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'kubectl-keda;record' {
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'File or folder with manifests, or `-` for standard input; may be given several times')
            [CompletionResult]::new('--filename', '--filename', [CompletionResultType]::ParameterName, 'File or folder with manifests, or `-` for standard input; may be given several times')
            [CompletionResult]::new('--series', '--series', [CompletionResultType]::ParameterName, 'File to write the values into, or `-` for standard output: CSV, or JSON lines where it ends in `.jsonl`')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How the file is written, where its name does not tell')
            [CompletionResult]::new('--every', '--every', [CompletionResultType]::ParameterName, 'Time between two rows, whole seconds')
            [CompletionResult]::new('--for', '--for', [CompletionResultType]::ParameterName, 'How long to record, such as `1h` or `7d`: until Ctrl-C')
            [CompletionResult]::new('--keda-namespace', '--keda-namespace', [CompletionResultType]::ParameterName, 'Namespace of the installation, where the APIService does not tell')
            [CompletionResult]::new('--debug-address', '--debug-address', [CompletionResultType]::ParameterName, 'Address of a controller that runs outside the cluster, instead of a forwarded port')
            [CompletionResult]::new('--debug-ca', '--debug-ca', [CompletionResultType]::ParameterName, 'File with the CA of the controller''s certificate, instead of the APIService''s caBundle')
            [CompletionResult]::new('--debug-token', '--debug-token', [CompletionResultType]::ParameterName, 'Token to show: a short-lived one of the service account `keda-debug`, or your own')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file to use instead of $KUBECONFIG or ~/.kube/config')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig to use')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'Cluster of the kubeconfig to use')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'User of the kubeconfig to use')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace to work in, instead of the context''s')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace to work in, instead of the context''s')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Address of the API server')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Address of the API server')
            [CompletionResult]::new('--token', '--token', [CompletionResultType]::ParameterName, 'Bearer token to show to the API server')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'User to act as')
            [CompletionResult]::new('--as-group', '--as-group', [CompletionResultType]::ParameterName, 'Group to act as a member of; may be given several times')
            [CompletionResult]::new('--as-uid', '--as-uid', [CompletionResultType]::ParameterName, 'Uid to act as')
            [CompletionResult]::new('--certificate-authority', '--certificate-authority', [CompletionResultType]::ParameterName, 'File with the certificates of the authority that signed the API server''s certificate')
            [CompletionResult]::new('--client-certificate', '--client-certificate', [CompletionResultType]::ParameterName, 'File with the client certificate')
            [CompletionResult]::new('--client-key', '--client-key', [CompletionResultType]::ParameterName, 'File with the key of the client certificate')
            [CompletionResult]::new('--insecure-skip-tls-verify', '--insecure-skip-tls-verify', [CompletionResultType]::ParameterName, 'Do not check the API server''s certificate, which lets anybody in between read and change everything')
            [CompletionResult]::new('--tls-server-name', '--tls-server-name', [CompletionResultType]::ParameterName, 'Name to expect in the API server''s certificate, instead of its host name')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'How long one request may take, such as `10s` or `2m`; `0` means for ever')
            [CompletionResult]::new('--in-cluster', '--in-cluster', [CompletionResultType]::ParameterName, 'Let the controller ask, from inside the cluster and with its credentials')
            [CompletionResult]::new('--append', '--append', [CompletionResultType]::ParameterName, 'Go on with a file that has the same columns')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Write a file anew that exists already')
            [CompletionResult]::new('--changes', '--changes', [CompletionResultType]::ParameterName, 'Leave out rows that say what the row before says')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'kubectl-keda;scaffold' {
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'Name of the ScaledObject')
            [CompletionResult]::new('--target', '--target', [CompletionResultType]::ParameterName, 'What to scale, as KIND/NAME (deployment or statefulset) or NAME')
            [CompletionResult]::new('--set', '--set', [CompletionResultType]::ParameterName, 'Value of a setting; may be given several times')
            [CompletionResult]::new('--auth', '--auth', [CompletionResultType]::ParameterName, 'Parameter of the authentication for `--live`: asked for without VALUE, read from a file with @FILE; the manifest refers to a Secret and never holds the value')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to list it: table, json, yaml or jsonpath=TEMPLATE')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to list it: table, json, yaml or jsonpath=TEMPLATE')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file to use instead of $KUBECONFIG or ~/.kube/config')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig to use')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'Cluster of the kubeconfig to use')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'User of the kubeconfig to use')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace to work in, instead of the context''s')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace to work in, instead of the context''s')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Address of the API server')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Address of the API server')
            [CompletionResult]::new('--token', '--token', [CompletionResultType]::ParameterName, 'Bearer token to show to the API server')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'User to act as')
            [CompletionResult]::new('--as-group', '--as-group', [CompletionResultType]::ParameterName, 'Group to act as a member of; may be given several times')
            [CompletionResult]::new('--as-uid', '--as-uid', [CompletionResultType]::ParameterName, 'Uid to act as')
            [CompletionResult]::new('--certificate-authority', '--certificate-authority', [CompletionResultType]::ParameterName, 'File with the certificates of the authority that signed the API server''s certificate')
            [CompletionResult]::new('--client-certificate', '--client-certificate', [CompletionResultType]::ParameterName, 'File with the client certificate')
            [CompletionResult]::new('--client-key', '--client-key', [CompletionResultType]::ParameterName, 'File with the key of the client certificate')
            [CompletionResult]::new('--insecure-skip-tls-verify', '--insecure-skip-tls-verify', [CompletionResultType]::ParameterName, 'Do not check the API server''s certificate, which lets anybody in between read and change everything')
            [CompletionResult]::new('--tls-server-name', '--tls-server-name', [CompletionResultType]::ParameterName, 'Name to expect in the API server''s certificate, instead of its host name')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'How long one request may take, such as `10s` or `2m`; `0` means for ever')
            [CompletionResult]::new('--live', '--live', [CompletionResultType]::ParameterName, 'Ask the source, from this machine, what it has that the trigger could name')
            [CompletionResult]::new('--list', '--list', [CompletionResultType]::ParameterName, 'Only list what the source has')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'kubectl-keda;scalers' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print them: table, wide, json, yaml, name or jsonpath=TEMPLATE')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print them: table, wide, json, yaml, name or jsonpath=TEMPLATE')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file to use instead of $KUBECONFIG or ~/.kube/config')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig to use')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'Cluster of the kubeconfig to use')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'User of the kubeconfig to use')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace to work in, instead of the context''s')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace to work in, instead of the context''s')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Address of the API server')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Address of the API server')
            [CompletionResult]::new('--token', '--token', [CompletionResultType]::ParameterName, 'Bearer token to show to the API server')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'User to act as')
            [CompletionResult]::new('--as-group', '--as-group', [CompletionResultType]::ParameterName, 'Group to act as a member of; may be given several times')
            [CompletionResult]::new('--as-uid', '--as-uid', [CompletionResultType]::ParameterName, 'Uid to act as')
            [CompletionResult]::new('--certificate-authority', '--certificate-authority', [CompletionResultType]::ParameterName, 'File with the certificates of the authority that signed the API server''s certificate')
            [CompletionResult]::new('--client-certificate', '--client-certificate', [CompletionResultType]::ParameterName, 'File with the client certificate')
            [CompletionResult]::new('--client-key', '--client-key', [CompletionResultType]::ParameterName, 'File with the key of the client certificate')
            [CompletionResult]::new('--insecure-skip-tls-verify', '--insecure-skip-tls-verify', [CompletionResultType]::ParameterName, 'Do not check the API server''s certificate, which lets anybody in between read and change everything')
            [CompletionResult]::new('--tls-server-name', '--tls-server-name', [CompletionResultType]::ParameterName, 'Name to expect in the API server''s certificate, instead of its host name')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'How long one request may take, such as `10s` or `2m`; `0` means for ever')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'kubectl-keda;version' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print it: table, json, yaml or jsonpath=TEMPLATE')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print it: table, json, yaml or jsonpath=TEMPLATE')
            [CompletionResult]::new('--keda-namespace', '--keda-namespace', [CompletionResultType]::ParameterName, 'Namespace of the installation, where the APIService does not tell')
            [CompletionResult]::new('--debug-address', '--debug-address', [CompletionResultType]::ParameterName, 'Address of a controller that runs outside the cluster, instead of a forwarded port')
            [CompletionResult]::new('--debug-ca', '--debug-ca', [CompletionResultType]::ParameterName, 'File with the CA of the controller''s certificate, instead of the APIService''s caBundle')
            [CompletionResult]::new('--debug-token', '--debug-token', [CompletionResultType]::ParameterName, 'Token to show: a short-lived one of the service account `keda-debug`, or your own')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file to use instead of $KUBECONFIG or ~/.kube/config')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig to use')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'Cluster of the kubeconfig to use')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'User of the kubeconfig to use')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace to work in, instead of the context''s')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace to work in, instead of the context''s')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Address of the API server')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Address of the API server')
            [CompletionResult]::new('--token', '--token', [CompletionResultType]::ParameterName, 'Bearer token to show to the API server')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'User to act as')
            [CompletionResult]::new('--as-group', '--as-group', [CompletionResultType]::ParameterName, 'Group to act as a member of; may be given several times')
            [CompletionResult]::new('--as-uid', '--as-uid', [CompletionResultType]::ParameterName, 'Uid to act as')
            [CompletionResult]::new('--certificate-authority', '--certificate-authority', [CompletionResultType]::ParameterName, 'File with the certificates of the authority that signed the API server''s certificate')
            [CompletionResult]::new('--client-certificate', '--client-certificate', [CompletionResultType]::ParameterName, 'File with the client certificate')
            [CompletionResult]::new('--client-key', '--client-key', [CompletionResultType]::ParameterName, 'File with the key of the client certificate')
            [CompletionResult]::new('--insecure-skip-tls-verify', '--insecure-skip-tls-verify', [CompletionResultType]::ParameterName, 'Do not check the API server''s certificate, which lets anybody in between read and change everything')
            [CompletionResult]::new('--tls-server-name', '--tls-server-name', [CompletionResultType]::ParameterName, 'Name to expect in the API server''s certificate, instead of its host name')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'How long one request may take, such as `10s` or `2m`; `0` means for ever')
            [CompletionResult]::new('--client', '--client', [CompletionResultType]::ParameterName, 'Say only which version this command is, without asking a cluster')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'kubectl-keda;completion' {
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file to use instead of $KUBECONFIG or ~/.kube/config')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig to use')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'Cluster of the kubeconfig to use')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'User of the kubeconfig to use')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace to work in, instead of the context''s')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace to work in, instead of the context''s')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Address of the API server')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Address of the API server')
            [CompletionResult]::new('--token', '--token', [CompletionResultType]::ParameterName, 'Bearer token to show to the API server')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'User to act as')
            [CompletionResult]::new('--as-group', '--as-group', [CompletionResultType]::ParameterName, 'Group to act as a member of; may be given several times')
            [CompletionResult]::new('--as-uid', '--as-uid', [CompletionResultType]::ParameterName, 'Uid to act as')
            [CompletionResult]::new('--certificate-authority', '--certificate-authority', [CompletionResultType]::ParameterName, 'File with the certificates of the authority that signed the API server''s certificate')
            [CompletionResult]::new('--client-certificate', '--client-certificate', [CompletionResultType]::ParameterName, 'File with the client certificate')
            [CompletionResult]::new('--client-key', '--client-key', [CompletionResultType]::ParameterName, 'File with the key of the client certificate')
            [CompletionResult]::new('--insecure-skip-tls-verify', '--insecure-skip-tls-verify', [CompletionResultType]::ParameterName, 'Do not check the API server''s certificate, which lets anybody in between read and change everything')
            [CompletionResult]::new('--tls-server-name', '--tls-server-name', [CompletionResultType]::ParameterName, 'Name to expect in the API server''s certificate, instead of its host name')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'How long one request may take, such as `10s` or `2m`; `0` means for ever')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'kubectl-keda;help' {
            [CompletionResult]::new('install', 'install', [CompletionResultType]::ParameterValue, 'Install the controller, the metrics adapter and the custom resources')
            [CompletionResult]::new('upgrade', 'upgrade', [CompletionResultType]::ParameterValue, 'Bring an installation to this version')
            [CompletionResult]::new('uninstall', 'uninstall', [CompletionResultType]::ParameterValue, 'Remove an installation')
            [CompletionResult]::new('status', 'status', [CompletionResultType]::ParameterValue, 'Show what is scaled, by what, and why')
            [CompletionResult]::new('explain', 'explain', [CompletionResultType]::ParameterValue, 'Tell what happened to one object, why, and what comes next')
            [CompletionResult]::new('connections', 'connections', [CompletionResultType]::ParameterValue, 'Show the connections to event sources, and who shares them')
            [CompletionResult]::new('validate', 'validate', [CompletionResultType]::ParameterValue, 'Find the mistakes in manifests, without a cluster')
            [CompletionResult]::new('dry-run', 'dry-run', [CompletionResultType]::ParameterValue, 'Ask the triggers now and tell what would follow, without writing anything')
            [CompletionResult]::new('simulate', 'simulate', [CompletionResultType]::ParameterValue, 'Tell what a manifest would have done with a recorded load, or a made-up one')
            [CompletionResult]::new('record', 'record', [CompletionResultType]::ParameterValue, 'Write down what the triggers say over time, as a series for `simulate`')
            [CompletionResult]::new('scaffold', 'scaffold', [CompletionResultType]::ParameterValue, 'Print a commented manifest for a scaler type')
            [CompletionResult]::new('scalers', 'scalers', [CompletionResultType]::ParameterValue, 'List the scaler types, or the settings of one')
            [CompletionResult]::new('version', 'version', [CompletionResultType]::ParameterValue, 'Show the versions of this command, the cluster and the controller')
            [CompletionResult]::new('completion', 'completion', [CompletionResultType]::ParameterValue, 'Print the completion script of a shell')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'kubectl-keda;help;install' {
            break
        }
        'kubectl-keda;help;upgrade' {
            break
        }
        'kubectl-keda;help;uninstall' {
            break
        }
        'kubectl-keda;help;status' {
            break
        }
        'kubectl-keda;help;explain' {
            break
        }
        'kubectl-keda;help;connections' {
            break
        }
        'kubectl-keda;help;validate' {
            break
        }
        'kubectl-keda;help;dry-run' {
            break
        }
        'kubectl-keda;help;simulate' {
            break
        }
        'kubectl-keda;help;record' {
            break
        }
        'kubectl-keda;help;scaffold' {
            break
        }
        'kubectl-keda;help;scalers' {
            break
        }
        'kubectl-keda;help;version' {
            break
        }
        'kubectl-keda;help;completion' {
            break
        }
        'kubectl-keda;help;help' {
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
