//! Códigos de fechamento.

use super::Words;

const EITHER: &str = "Qualquer um dos lados.";
const SERVER: &str = "O servidor.";

/// Na ordem dos números; uma faixa vem depois dos seus membros com nome.
pub(super) static CLOSES: &[((u16, u16), Words)] = &[
    (
        (1000, 1000),
        Words {
            name: "encerramento normal",
            brief: "A conexão cumpriu o seu propósito, e um dos lados a encerra.",
            description: "O fim comum de uma sessão. Nenhum dos lados tem do que reclamar. Scripts em navegadores podem enviá-lo; abaixo de 3000 é o único código que podem.",
            when: "Um programa chama `close()` com ele quando termina. Alguns servidores também o usam para conexões ociosas: o Cowboy fecha com 1000 cerca de 60 segundos depois dos últimos dados do cliente.",
            fix: "Nada, a menos que venha sempre depois do mesmo silêncio: então envie um heartbeat ou aumente o limite de ociosidade do servidor.",
            sender: EITHER,
        },
    ),
    (
        (1001, 1001),
        Words {
            name: "saindo",
            brief: "Um dos lados vai embora: o servidor para, ou o usuário sai da página.",
            description: "Uma saída prevista que não é a despedida da própria aplicação. Navegadores o enviam quando se sai de uma página. Servidores o enviam quando param, e alguns quando a conexão ficou ociosa por tempo demais.",
            when: "O usuário muda de página ou fecha a aba, um servidor é atualizado ou desligado, um limite de ociosidade do servidor é atingido, ou o Caddy recarrega a configuração e fecha os dois lados do que intermedeia.",
            fix: "Reconecte depois de um tempo aleatório. Se a razão fala de ociosidade, envie um heartbeat; no Caddy, defina `stream_close_delay`.",
            sender: "Qualquer um dos lados; também gateways que falam WebSocket.",
        },
    ),
    (
        (1002, 1002),
        Words {
            name: "erro de protocolo",
            brief: "Quem envia acusa o outro lado de ter violado o protocolo.",
            description: "Quem envia leu algo que o WebSocket não permite: um frame sem máscara, um bit reservado, um opcode desconhecido, um código de fechamento que não conhece. Depois disso não pode continuar a ler.",
            when: "Uma biblioteca tem um defeito, bytes de outra coisa entraram no fluxo, a compressão está ligada só em uma ponta, ou o outro lado enviou 1014 e a biblioteca é antiga demais para conhecê-lo.",
            fix: "Procure a violação nos últimos frames antes deste Close. Se não houver nenhuma, atualize a biblioteca que acusa.",
            sender: EITHER,
        },
    ),
    (
        (1003, 1003),
        Words {
            name: "dados não suportados",
            brief: "O receptor não aceita este tipo de dados, por exemplo binário onde espera texto.",
            description: "Os dados estavam bem formados, mas eram de um tipo que o programa receptor não aceita.",
            when: "Um endpoint só de texto recebeu uma mensagem binária, ou o contrário.",
            fix: "Envie o tipo de mensagem, texto ou binário, que o receptor aceita.",
            sender: EITHER,
        },
    ),
    (
        (1004, 1004),
        Words {
            name: "reservado",
            brief: "Não tem significado e não deve ser enviado.",
            description: "Um número que um rascunho usava e que a norma deixou de lado.",
            when: "Quase nunca; uma biblioteca muito antiga pode enviá-lo por causa de um frame grande demais.",
            fix: "Use um código com significado, como 1009 para o tamanho ou 1011 para um defeito.",
            sender: "Ninguém: não deve ser enviado.",
        },
    ),
    (
        (1005, 1005),
        Words {
            name: "nenhum código recebido",
            brief: "Um aviso ao programa de que o Close não tinha código; nunca trafega.",
            description: "Quando chega um frame Close sem código, a biblioteca informa 1005 ao seu programa. A conexão foi fechada em ordem; falta apenas o código.",
            when: "O outro lado chamou `close()` sem código, ou um navegador descartou um WebSocket que nenhum script usava mais.",
            fix: "Feche com 1000 se o outro lado deve ver um código. Um relay deve transformar 1005 em um Close sem código.",
            sender: "Ninguém: as bibliotecas o informam. Na rede é um defeito de quem envia, quase sempre um relay.",
        },
    ),
    (
        (1006, 1006),
        Words {
            name: "encerramento anormal",
            brief: "Um aviso ao programa de que a conexão terminou sem Close; nunca trafega.",
            description: "Quando o TCP termina e nenhum Close chegou, a biblioteca informa 1006 ao seu programa. Navegadores também o informam para todo handshake que falha: conexão recusada, erro de TLS, status diferente de 101. Por isso esconde quase todas as causas, e só a rede mostra qual foi.",
            when: "Um proxy ou balanceador cortou uma conexão ociosa, um servidor ou proxy foi reiniciado ou caiu, um caminho da rede sumiu, ou o handshake falhou.",
            fix: "Descubra em uma captura quem encerrou o TCP, como, e depois de quanto silêncio. Envie um Ping na metade do menor tempo limite do caminho.",
            sender: "Ninguém: as bibliotecas o informam. Na rede é um defeito de quem envia, quase sempre um relay.",
        },
    ),
    (
        (1007, 1007),
        Words {
            name: "conteúdo inválido",
            brief: "Uma mensagem não contém o que o seu tipo promete, como texto que não é UTF-8.",
            description: "O receptor encontrou em uma mensagem dados que contradizem o tipo dela.",
            when: "Dados binários foram enviados como texto, uma string foi cortada no meio de um caractere, ou a descompressão falhou e produziu lixo.",
            fix: "Envie dados binários em mensagens binárias. Se o texto está certo antes da compressão, desligue a compressão para ver se é ela que o estraga.",
            sender: EITHER,
        },
    ),
    (
        (1008, 1008),
        Words {
            name: "violação de política",
            brief: "O receptor recusa por uma razão da sua própria política.",
            description: "A recusa geral, onde nenhum outro código serve ou onde quem envia não quer dizer mais.",
            when: "O acesso foi negado depois que a conexão foi feita, um limite de taxa foi excedido, ou uma origem não era permitida.",
            fix: "Leia a razão e depois verifique permissões, origem e limites de taxa no lado que fechou.",
            sender: EITHER,
        },
    ),
    (
        (1009, 1009),
        Words {
            name: "mensagem grande demais",
            brief: "Uma mensagem é maior do que o receptor quer tratar.",
            description: "O receptor tem um limite para o tamanho de uma mensagem ou de um frame, e esta o ultrapassa. O tamanho depois da descompressão também conta.",
            when: "Um upload em uma só mensagem, uma mensagem comprimida pequena que se expande muito, ou uma plataforma com limites baixos: o AWS API Gateway aceita frames de 32 KB e mensagens de 128 KB.",
            fix: "Aumente o limite do receptor (`maxPayload` no ws, `max_size` no websockets do Python, `SetReadLimit` no gorilla) ou divida a mensagem.",
            sender: EITHER,
        },
    ),
    (
        (1010, 1010),
        Words {
            name: "extensão obrigatória",
            brief: "O cliente encerra a conexão porque falta, na resposta ao seu handshake, uma extensão da qual não pode abrir mão.",
            description: "O cliente ofereceu uma ou mais extensões na requisição, o servidor respondeu 101 sem elas, e o cliente sai porque insiste. Ele deve listar na razão o que precisa. Só um cliente tem uso para este código: um servidor que exige uma extensão recusa o handshake. Existe somente depois de um 101, então o servidor achava que tudo estava bem. Quase nenhum cliente o envia por conta própria: navegadores não podem, e a maioria das bibliotecas simplesmente segue sem a extensão. O OkHttp o envia quando a resposta traz uma extensão ou um parâmetro que ele não pode aceitar.",
            when: "Um cliente exige uma extensão como permessage-deflate, e o servidor a tem desligada, não a conhece, ou um gateway no caminho removeu `Sec-WebSocket-Extensions` da requisição ou da resposta.",
            fix: "Ligue a extensão no servidor e faça todo gateway repassar `Sec-WebSocket-Extensions`, ou torne-a opcional no cliente. Compare antes este campo na requisição e no 101: ele mostra o que foi oferecido e o que foi aceito.",
            sender: "Somente o cliente; um servidor pode ecoá-lo.",
        },
    ),
    (
        (1011, 1011),
        Words {
            name: "erro interno",
            brief: "Quem envia encontrou uma condição que o impede de continuar.",
            description: "Um defeito de quem envia: uma exceção que ninguém tratou, ou um keepalive que encontrou o outro lado morto. A RFC 6455 fala de servidores; uma errata listada pela IANA amplia isso.",
            when: "Um handler quebrou, um relay não conhece código melhor para o que houve atrás dele, ou pings ficaram sem resposta: a razão é então `keepalive ping timeout`.",
            fix: "Leia o log de quem enviou naquele segundo. Depois de um timeout de keepalive, descubra o que bloqueou o outro lado.",
            sender: "O servidor; hoje em dia, qualquer um dos lados.",
        },
    ),
    (
        (1012, 1012),
        Words {
            name: "reinício do serviço",
            brief: "O servidor reinicia, e o cliente pode voltar.",
            description: "Um reinício anunciado. Os clientes devem voltar depois de um tempo aleatório de 5 a 30 segundos, para não virem todos de uma vez. Registrado depois da RFC 6455: algumas bibliotecas não o conhecem e respondem 1002.",
            when: "Uma implantação ou um reinício; o uvicorn o envia quando para.",
            fix: "Faça os clientes esperarem um tempo aleatório e pare os servidores um após o outro.",
            sender: SERVER,
        },
    ),
    (
        (1013, 1013),
        Words {
            name: "tente mais tarde",
            brief: "O servidor está sobrecarregado, e o cliente deve voltar mais tarde ou ir a outro lugar.",
            description: "O servidor alivia a carga. O cliente deve tentar outro endereço, ou esperar até que o usuário peça de novo. Registrado depois da RFC 6455: algumas bibliotecas não o conhecem e respondem 1002.",
            when: "Um limite de conexões ou de memória foi atingido.",
            fix: "Dê ao servidor mais capacidade ou um limite maior, e faça os clientes esperarem cada vez mais entre as tentativas.",
            sender: SERVER,
        },
    ),
    (
        (1014, 1014),
        Words {
            name: "gateway inválido",
            brief: "Um gateway encerra a conexão porque o seu upstream não lhe deu resposta válida.",
            description: "Um gateway ou proxy aceitou o WebSocket e depois recebeu do servidor atrás dele uma resposta inválida, ou nenhuma. Existe somente depois de um 101: um gateway que encontra o upstream morto enquanto o handshake espera responde com HTTP 502, 503 ou 504. Proxies de túnel (nginx, HAProxy, Apache httpd, Traefik, Varnish) nunca o enviam, pois só copiam bytes; ele vem de relays que falam WebSocket. Registrado em 2016, não faz parte da RFC 6455: muitas bibliotecas não o conhecem e respondem 1002.",
            when: "Um relay, um API gateway ou um worker serverless respondeu 101 e depois não conseguiu conectar ao upstream, ou o perdeu: o upstream está fora do ar, escuta em outra porta, ou não é um servidor WebSocket.",
            fix: "Verifique se o upstream está no ar, escuta na porta e no esquema que o gateway usa, e fala WebSocket nesse caminho. Faça o gateway encaminhar os upgrades para lá e conectar ao upstream antes de responder ao cliente.",
            sender: "Um servidor que é gateway.",
        },
    ),
    (
        (1015, 1015),
        Words {
            name: "handshake TLS",
            brief: "Um aviso ao programa de que o handshake TLS falhou; nunca trafega.",
            description: "Uma biblioteca pode informar 1015 ao seu programa quando o TLS falhou. Navegadores informam 1006.",
            when: "Um certificado não é confiável ou não corresponde ao nome, ou os dois lados não têm versão de TLS em comum.",
            fix: "Verifique nomes, cadeia e datas do certificado, e as versões de TLS dos dois lados.",
            sender: "Ninguém: as bibliotecas o informam.",
        },
    ),
    (
        (3000, 3000),
        Words {
            name: "não autenticado",
            brief: "O cliente não tem credenciais válidas; a forma WebSocket do HTTP 401.",
            description: "Registrado para endpoints que verificam o acesso depois que a conexão foi feita.",
            when: "Um token falta, está errado ou expirou.",
            fix: "Obtenha credenciais novas antes da próxima tentativa; não tente de novo com as antigas.",
            sender: SERVER,
        },
    ),
    (
        (3003, 3003),
        Words {
            name: "proibido",
            brief: "O cliente é conhecido, mas não tem permissão; a forma WebSocket do HTTP 403.",
            description: "Registrado para endpoints que verificam o acesso depois que a conexão foi feita.",
            when: "O usuário não tem direito àquilo para que serve a conexão.",
            fix: "Conceda o direito, ou não conecte; tentar de novo não ajuda.",
            sender: SERVER,
        },
    ),
    (
        (3008, 3008),
        Words {
            name: "tempo esgotado",
            brief: "O outro lado demorou demais para fazer o que se esperava; a forma WebSocket do HTTP 408.",
            description: "Registrado para endpoints que esperam uma primeira mensagem, como um login, ou uma resposta.",
            when: "A mensagem esperada não chegou a tempo.",
            fix: "Envie antes a mensagem esperada, ou aumente o limite.",
            sender: EITHER,
        },
    ),
    (
        (3000, 3999),
        Words {
            name: "registrado (bibliotecas)",
            brief: "Uma biblioteca ou um framework diz algo que a sua própria documentação explica.",
            description: "A faixa para bibliotecas, frameworks e aplicações que registram os seus códigos na IANA, por ordem de chegada.",
            when: "A biblioteca de um dos lados encerrou a conexão por uma razão própria.",
            fix: "Procure o código na documentação da biblioteca.",
            sender: "Qualquer um dos lados, por acordo.",
        },
    ),
    (
        (4000, 4999),
        Words {
            name: "uso privado",
            brief: "A aplicação diz algo que só a sua própria documentação explica.",
            description: "A faixa para uso privado. O mesmo número significa outra coisa em cada aplicação.",
            when: "A aplicação encerrou a conexão por uma razão própria, muitas vezes permissões ou um login em outro lugar.",
            fix: "Procure o código na documentação da aplicação.",
            sender: "Qualquer um dos lados, por acordo; também scripts em navegadores.",
        },
    ),
];
