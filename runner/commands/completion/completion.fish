# fish completion of runner: runner completion fish > ~/.config/fish/completions/runner.fish
# For `python -m runner` too, source this file in ~/.config/fish/config.fish.

function __runner_reply --argument-names taken
    set --local words (commandline --tokenize --cut-at-cursor --current-process) (commandline --current-token --cut-at-cursor)
    set --local program $words[1..$taken]
    set --erase words[1..$taken]
    command $program completion --words $words 2>/dev/null
end

function __runner_is_module
    set --local words (commandline --tokenize --cut-at-cursor --current-process)
    test (count $words) -ge 3; and test "$words[2]" = -m; and test "$words[3]" = runner
end

complete --command runner --arguments '(__runner_reply 1)'
complete --command python --condition __runner_is_module --arguments '(__runner_reply 3)'
complete --command python3 --condition __runner_is_module --arguments '(__runner_reply 3)'
